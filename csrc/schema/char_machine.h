// A deterministic machine over characters: a set of texts that can be cut with others, turned into
// what it is not, and written as a grammar. What patterns, bounds of numbers and names come to.
#pragma once

#include "constraint/grammar.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace jan {

// More states than this: std::nullopt, wherever a machine is made.
constexpr size_t most_machine_states = 3000;

class char_machine {
  public:
    static constexpr int dead = -1;

    struct arc {
        char_range on;
        int to;
    };
    struct state {
        std::vector<arc> arcs;  // sorted, none overlaps another
        bool ends = false;
    };

    char_machine() = default;
    explicit char_machine(std::vector<state> states) : states_(std::move(states)) {}

    static char_machine any_text();
    static char_machine of_texts(const std::vector<std::string> & texts);

    // State 0 is the first; without states there is no text at all.
    const std::vector<state> & states() const { return states_; }
    bool empty() const { return states_.empty(); }
    bool accepts(std::string_view text) const;
    // From here on every text is one.
    bool takes_all(size_t from) const;

    char_machine complement() const;
    std::optional<char_machine> both(const char_machine & other) const;
    std::optional<char_machine> either(const char_machine & other) const;
    // Texts of so many characters; most < 0: without end.
    std::optional<char_machine> within(int least, int most) const;

    // Without what cannot be reached, or leads to no text.
    char_machine trimmed() const;

  private:
    std::optional<char_machine> product(const char_machine & other, bool both) const;

    std::vector<state> states_;
};

}  // namespace jan
