// Which tokens may come next, a bit each.
#pragma once

#include "token.h"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace jan {

class token_mask {
  public:
    explicit token_mask(int n_vocab) : n_vocab_(n_vocab), words_((static_cast<size_t>(n_vocab) + 63) / 64) {}

    void allow(token id) { words_[static_cast<size_t>(id) / 64] |= uint64_t{1} << (id % 64); }
    void ban(token id) { words_[static_cast<size_t>(id) / 64] &= ~(uint64_t{1} << (id % 64)); }
    void allow_all();
    bool allows(token id) const { return words_[static_cast<size_t>(id) / 64] >> (id % 64) & 1; }
    bool empty() const;
    int n_vocab() const { return n_vocab_; }
    size_t n_bytes() const { return words_.size() * sizeof(uint64_t); }

    // to[i] = row[i] where token i is allowed, else -infinity.
    void apply(const float * row, float * to) const;

  private:
    int n_vocab_;
    std::vector<uint64_t> words_;
};

}  // namespace jan
