// Where the last tokens of a text came before: what followed there may follow here too.
#pragma once

#include "token.h"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace jan {

// For one thread. Takes the same time for every token, and no memory after its making: of places
// whose tokens share a slot of the table, the last is remembered.
class ngram_index {
  public:
    static constexpr int n_equal = 3;   // tokens that must be equal at least
    static constexpr int longest = 64;  // equal tokens that are looked for
    static constexpr int most_slots = 1 << 16;

    // n_tokens: how long the text may get, as far as is known.
    explicit ngram_index(int n_tokens);

    // The text so far: what was seen before, and perhaps more.
    void see(const std::vector<token> & text);

    // How many tokens before `next()` are those that the text ends with; 0 when there is no such place.
    // Counts on past `longest` while the two run on alike.
    int n_alike() const { return n_alike_; }
    int next() const { return next_; }

    // Appends n tokens to `to`: those from next() on, and beyond the text's end these again.
    void continue_with(const std::vector<token> & text, int n, std::vector<token> & to) const;

    void forget();  // the text was changed

  private:
    size_t slot(const token * end) const;

    std::vector<int32_t> after_;  // by slot: the place after n_equal tokens, 0 = none
    int shift_;
    int n_seen_ = 0;
    int next_ = 0;
    int n_alike_ = 0;
};

}  // namespace jan
