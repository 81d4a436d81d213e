#include "speculation/ngram_index.h"

#include <algorithm>

namespace jan {

ngram_index::ngram_index(int n_tokens) {
    int n_bits = 6;
    while ((1 << n_bits) < std::min(n_tokens, most_slots)) {
        ++n_bits;
    }
    shift_ = 64 - n_bits;
    after_.assign(size_t{1} << n_bits, 0);
}

size_t ngram_index::slot(const token * end) const {
    uint64_t hash = 0;
    for (int i = n_equal; i > 0; --i) {
        hash = (hash + static_cast<uint32_t>(end[-i])) * 0x9E3779B97F4A7C15u;
        hash ^= hash >> 32;
    }
    return static_cast<size_t>((hash * 0x9E3779B97F4A7C15u) >> shift_);
}

void ngram_index::see(const std::vector<token> & text) {
    const auto n_text = static_cast<int>(text.size());
    for (; n_seen_ < n_text; ++n_seen_) {
        const int end = n_seen_ + 1;
        if (n_alike_ > 0 && text[static_cast<size_t>(next_)] == text[static_cast<size_t>(n_seen_)]) {
            ++next_;
            ++n_alike_;
        } else {
            next_ = n_alike_ = 0;
        }
        if (end < n_equal) {
            continue;
        }
        int32_t & place = after_[slot(text.data() + end)];
        if (n_alike_ == 0 && place > 0) {
            const token * here = text.data() + end;
            const token * there = text.data() + place;
            int n = 0;
            while (n < std::min<int>(place, longest) && here[-n - 1] == there[-n - 1]) {
                ++n;
            }
            if (n >= n_equal) {  // else other tokens had the same slot
                next_ = place;
                n_alike_ = n;
            }
        }
        place = end;
    }
}

void ngram_index::continue_with(const std::vector<token> & text, int n, std::vector<token> & to) const {
    const size_t first = to.size();
    for (size_t i = 0; i < static_cast<size_t>(n); ++i) {
        const size_t at = static_cast<size_t>(next_) + i;
        to.push_back(at < text.size() ? text[at] : to[first + at - text.size()]);
    }
}

void ngram_index::forget() {
    std::fill(after_.begin(), after_.end(), 0);
    n_seen_ = next_ = n_alike_ = 0;
}

}  // namespace jan
