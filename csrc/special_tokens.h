// Where the special and user-defined tokens of a vocabulary stand in a text. Upstream looks for each of
// them in turn, the longest first; this finds the same in one walk over the text.
#pragma once

#include "token.h"

#include "llama.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

namespace jan {

// Immutable, so any thread may use it.
class special_tokens {
  public:
    struct piece {
        token id;      // -1: text without such tokens
        size_t at, n;  // bytes of the text
    };

    explicit special_tokens(const llama_vocab * vocab);

    // Tells the pieces of a text in order. Two stretches of text never follow each other, and none is
    // empty. Without parse_special only user-defined tokens count. Whitespace that a token swallows is in
    // no piece.
    void cut(std::string_view text, bool parse_special,
             const std::function<void(const piece &)> & tell) const;

  private:
    // By the order in which upstream looks for them: where two overlap, the earlier in this list is there.
    struct entry {
        token id;
        std::string_view text;  // upstream's own
        bool only_parsed;       // control and unknown tokens
        bool strips_left, strips_right;
    };
    // A tree of bytes; the children of a node lie side by side, and their bytes in bytes_.
    struct node {
        uint32_t first_child = 0, n_children = 0;
        int32_t any = -1, user = -1;  // which entry ends here: of all, and of those that always count
    };
    class walk;

    void build_tree();
    const node * child(const node & parent, char byte) const;

    std::vector<entry> entries_;
    std::vector<node> nodes_;
    std::vector<char> bytes_;
    bool strips_ = false;  // one of them does
};

}  // namespace jan
