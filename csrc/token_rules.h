// Which tokens a request may have, beyond what its sampler and its constraint say: a list of those
// allowed, sequences that never come, ends of its own, and an end to a thought that is too long.
#pragma once

#include "token.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace jan {

// Of reasoning between tags, which are looked for in the text: a tag may be written with several tokens.
// After `most` tokens `close` is written as if it had been chosen.
struct thought_limit {
    int most = -1;       // tokens from the beginning of a thought; -1: no limit
    bool begun = false;  // the prompt ends inside it
    std::string start;
    std::vector<std::string> ends;
    std::vector<token> close;
};

struct token_rules {
    std::vector<token> allowed;              // only these; empty: all
    std::vector<std::vector<token>> banned;  // the last of each never comes after the others
    std::vector<token> ends;                 // tokens that end the text, and are not in it
    int min_tokens = 0;                      // so many are generated before one of `ends`
    thought_limit thought;
};

// Throws invalid_argument whose message begins with the field's name.
void check(const token_rules & rules, int n_vocab);

// Keeps a request to its rules. For one thread at a time; `rules` outlive it, null has none.
class token_ruler {
  public:
    explicit token_ruler(const token_rules * rules);

    // The logits that the next token is chosen from: those given, or `buffer` with what must not come
    // at -infinity. What a constraint took out of `logits` already stays out: a thought that it does
    // not let end goes on.
    float * rule(float * logits, int n_vocab, std::vector<float> & buffer) const;

    // A token has been chosen; how it is written.
    void accept(token id, std::string_view bytes);

    bool ends(token id) const;

  private:
    enum class thinking { no, outside, inside, closing };

    bool came(const std::vector<token> & sequence, size_t n) const;  // its first n, just now
    void think(token id, std::string_view bytes);
    bool written(const std::string & tag) const;  // by the last token

    const token_rules * rules_;
    std::vector<token> last_;  // tokens, as many as the longest sequence looks back
    size_t n_back_ = 0;
    int n_made_ = 0;
    thinking thought_ = thinking::no;
    int n_thought_ = 0;
    size_t n_closed_ = 0;  // of `close`
    std::string tail_;     // of the text, where a tag may have begun
    size_t n_tail_ = 0;    // bytes of it that are kept
};

}  // namespace jan
