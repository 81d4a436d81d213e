// Text to token ids and back. Every function is const, thread-safe and free of the GIL.
#pragma once

#include "piece_table.h"
#include "token.h"

#include "llama.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace jan {

struct vocab_facts {
    std::string type;  // "bpe", "spm", "wpm", "ugm", "rwkv", "plamo2", "plamo3", "none"
    int n_tokens;
    token bos, eos, eot, sep, nl, pad, mask;                     // -1 = none
    token fim_pre, fim_suf, fim_mid, fim_pad, fim_rep, fim_sep;  // -1 = none
    bool adds_bos, adds_eos;
    int n_longest_bytes;  // of what one token may stand for in a text; 0 = of any number
    std::vector<token> end_of_generation;
};

class special_tokens;

// A view: valid while the model that gave it is alive.
class vocab {
  public:
    // Without `special` upstream looks for special tokens itself, in time that grows with the square of
    // their number.
    explicit vocab(const llama_vocab * handle, const special_tokens * special = nullptr)
        : handle_(handle), special_(special) {}

    vocab_facts facts() const;

    // add_special: put BOS/EOS where the model wants them. parse_special: "<|im_end|>" in the
    // text becomes that token instead of plain characters. Throws unsupported_feature when the
    // model has no vocabulary, invalid_argument when the text is larger than 1 GiB.
    std::vector<token> tokenize(std::string_view text, bool add_special, bool parse_special) const;

    // Bytes, not text: a token may hold half a code point. Throws invalid_argument for an id
    // outside the vocabulary.
    std::string detokenize(const std::vector<token> & tokens, bool remove_special,
                           bool unparse_special) const;
    std::string piece(token id, bool special) const;

    bool is_end_of_generation(token id) const;

    // Every token's bytes and role in one block, for the step loop.
    std::shared_ptr<const piece_table> pieces() const;

  private:
    void require_token(token id) const;
    void append(std::string_view text, bool add_special, bool parse_special, std::vector<token> & out) const;

    const llama_vocab * handle_;
    const special_tokens * special_;
};

}  // namespace jan
