#include "constraint/token_mask.h"

#include <algorithm>
#include <cmath>

namespace jan {

void token_mask::allow_all() {
    std::fill(words_.begin(), words_.end(), ~uint64_t{0});
    if (n_vocab_ % 64 != 0) {
        words_.back() = (uint64_t{1} << (n_vocab_ % 64)) - 1;
    }
}

bool token_mask::empty() const {
    return std::all_of(words_.begin(), words_.end(), [](uint64_t word) { return word == 0; });
}

void token_mask::apply(const float * row, float * to) const {
    for (size_t i = 0; i < words_.size(); ++i) {
        const size_t first = i * 64;
        const size_t n = std::min<size_t>(64, static_cast<size_t>(n_vocab_) - first);
        const uint64_t word = words_[i];
        if (word == 0) {
            std::fill_n(to + first, n, -INFINITY);
        } else if (word == ~uint64_t{0}) {
            std::copy_n(row + first, n, to + first);
        } else {
            for (size_t j = 0; j < n; ++j) {
                to[first + j] = (word >> j & 1) != 0 ? row[first + j] : -INFINITY;
            }
        }
    }
}

}  // namespace jan
