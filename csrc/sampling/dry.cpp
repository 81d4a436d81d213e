#include "sampling/dry.h"

#include <algorithm>
#include <cmath>

namespace jan {

dry::dry(const sampling_params & p, std::shared_ptr<const dry_breakers> breakers)
    : multiplier_(p.dry_multiplier), base_(p.dry_base), allowed_length_(p.dry_allowed_length),
      n_last_(static_cast<size_t>(p.dry_penalty_last_n)), breakers_(std::move(breakers)) {
    ring_.reserve(n_last_);
    recent_.reserve(n_last_);
    repeats_.reserve(n_last_);
    continued_.reserve(n_last_);
    penalties_.reserve(n_last_);
}

void dry::add(token id) {
    if (ring_.size() < n_last_) {
        ring_.push_back(id);
    } else {
        ring_[oldest_] = id;
        oldest_ = (oldest_ + 1) % n_last_;
    }
}

void dry::look_back() {
    recent_.resize(ring_.size());
    const auto newest = static_cast<std::ptrdiff_t>(oldest_);
    const auto end = std::reverse_copy(ring_.begin(), ring_.begin() + newest, recent_.begin());
    std::reverse_copy(ring_.begin() + newest, ring_.end(), end);
}

// How many tokens there are since the last sequence breaker.
int dry::longest_allowed() const {
    const auto n = static_cast<int>(recent_.size());
    for (int i = 0; i < n && breakers_; ++i) {
        const token id = recent_[static_cast<size_t>(i)];
        const auto found = breakers_->ends.find(id);
        int longest = breaks_alone(id) ? 0 : -1;
        if (found != breakers_->ends.end()) {
            for (const int which : found->second) {
                const std::vector<token> & tail = breakers_->tails[static_cast<size_t>(which)];
                const auto size = static_cast<int>(tail.size());
                if (size > longest && size <= i && std::equal(tail.begin(), tail.end(), recent_.rend() - i)) {
                    longest = size;
                }
            }
        }
        if (longest >= 0) {
            return i - longest;
        }
    }
    return n;
}

// The Z-algorithm, linear in the length: repeats_[k] is how many tokens recent_[k...] shares with
// recent_[0...], no more than `limit`.
void dry::count_repeats(int limit) {
    const auto n = static_cast<int>(recent_.size());
    const auto at = [this](int i) { return recent_[static_cast<size_t>(i)]; };
    repeats_.assign(recent_.size(), 0);
    int left = 0;
    int right = 0;
    for (int k = 1; k < n; ++k) {
        int shared = 0;
        if (k <= right && repeats_[static_cast<size_t>(k - left)] < right - k + 1) {
            shared = repeats_[static_cast<size_t>(k - left)];
        } else {
            int i = k > right ? k : right + 1;
            while (i < n && at(i) == at(i - k)) {
                ++i;
            }
            shared = i - k;
            if (k <= right || shared > 0) {
                left = k;
                right = i - 1;
            }
        }
        repeats_[static_cast<size_t>(k)] = std::min(shared, limit);
    }
}

bool dry::breaks_alone(token id) const { return breakers_ && breakers_->alone[static_cast<size_t>(id)] != 0; }

const std::vector<dry::penalty> & dry::penalties() {
    penalties_.clear();
    looked_ = false;
    if (static_cast<int64_t>(ring_.size()) <= allowed_length_) {
        return penalties_;
    }
    look_back();
    const int limit = longest_allowed();
    if (limit < allowed_length_) {
        return penalties_;
    }
    looked_ = true;
    count_repeats(limit);
    continued_.clear();
    for (size_t k = 1; k < recent_.size(); ++k) {
        if (repeats_[k] >= allowed_length_) {
            continued_.emplace_back(recent_[k - 1], repeats_[k]);
        }
    }
    // By token, the longest repetition first.
    std::sort(continued_.begin(), continued_.end(), [](const auto & a, const auto & b) {
        return a.first != b.first ? a.first < b.first : a.second > b.second;
    });
    // So that the power stays below the largest float.
    const float largest_log = 88.7228391f;
    const int max_exponent = base_ > 1.000001f ? static_cast<int>(largest_log / std::log(base_)) : 0;
    for (size_t i = 0; i < continued_.size(); ++i) {
        const auto & [id, length] = continued_[i];
        if ((i > 0 && continued_[i - 1].first == id) || breaks_alone(id)) {
            continue;
        }
        int exponent = length - allowed_length_;
        exponent = max_exponent > 0 ? std::min(exponent, max_exponent) : exponent;
        penalties_.push_back({id, static_cast<float>(multiplier_ * std::pow(base_, exponent))});
    }
    return penalties_;
}

}  // namespace jan
