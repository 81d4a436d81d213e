// A vocabulary as a tree of bytes, laid out so that one pass over an array visits it: what all
// tokens share at their beginning is looked at once.
#pragma once

#include "piece_table.h"
#include "token.h"

#include <cstdint>
#include <vector>

namespace jan {

// Immutable. Without the tokens that end generation and those that show nothing.
class token_trie {
  public:
    struct node {
        uint8_t byte;
        uint32_t depth;        // 1: a token's first byte
        uint32_t end;          // the first node that is not below this one
        uint32_t first_token;  // of tokens(): those that end here begin there
        uint32_t n_tokens;
    };

    explicit token_trie(const piece_table & pieces);

    const std::vector<node> & nodes() const { return nodes_; }
    const std::vector<token> & tokens() const { return tokens_; }
    uint32_t depth() const { return depth_; }
    int n_vocab() const { return n_vocab_; }
    const std::vector<token> & end_of_generation() const { return end_of_generation_; }

  private:
    std::vector<node> nodes_;
    std::vector<token> tokens_;
    std::vector<token> end_of_generation_;
    uint32_t depth_ = 0;
    int n_vocab_;
};

}  // namespace jan
