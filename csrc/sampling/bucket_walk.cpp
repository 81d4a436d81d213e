#include "sampling/bucket_walk.h"

#include "sampling/row_scan.h"

#include <algorithm>
#include <cmath>

namespace jan {

namespace {

constexpr int n_block = 1024;
constexpr int narrowest_block = 64;
constexpr int widest_block = 512;

float number(float logit) { return std::isnan(logit) ? -INFINITY : logit; }

// Calls take(id, logit) for everything in that bucket and the higher ones, by ascending id.
template <class Take> void for_each_from(int bucket, const float * row, int n, Take && take) {
    if (bucket == 0) {
        for (int i = 0; i < n; ++i) {
            take(i, number(row[i]));
        }
        return;
    }
    const float bound = below_bucket(bucket);
    int32_t found[n_block];
    for (int from = 0; from < n; from += n_block) {
        const int n_found = fastest_row_scan().above(row + from, std::min(n_block, n - from), bound, found);
        for (int i = 0; i < n_found; ++i) {
            const token id = from + found[i];
            if (bucket_of(row[id]) >= bucket) {
                take(id, row[id]);
            }
        }
    }
}

}  // namespace

float reached_by(const float * row, int n, size_t k, std::vector<float> & maxima, int & n_in_block) {
    const auto wanted = static_cast<int>(std::min<size_t>(k, static_cast<size_t>(n)));
    for (n_in_block = widest_block; n_in_block > narrowest_block && n / n_in_block < 2 * wanted;) {
        n_in_block /= 2;
    }
    maxima.resize(2 * static_cast<size_t>((n + n_in_block - 1) / n_in_block));
    const auto middle = maxima.begin() + static_cast<std::ptrdiff_t>(maxima.size() / 2);
    fastest_row_scan().maxima(row, n, n_in_block, maxima.data());
    if (maxima.size() / 2 < k) {
        return -INFINITY;
    }
    std::copy(maxima.begin(), middle, middle);
    const auto kth = middle + static_cast<std::ptrdiff_t>(k - 1);
    std::nth_element(middle, kth, maxima.end(), [](float a, float b) { return a > b; });
    return *kth;
}

void collect_at_least(const float * row, int n, size_t k, sampling_scratch & scratch) {
    scratch.candidates.clear();
    int n_in_block = 0;
    const float reached = reached_by(row, n, k, scratch.scores, n_in_block);
    for_each_from(bucket_of(reached), row, n,
                  [&](token id, float logit) { scratch.candidates.push_back({id, logit, 0}); });
}

bucket_walk::bucket_walk(const float * row, int n, sampling_scratch & scratch)
    : row_(row), n_(n), scratch_(scratch) {
    scratch_.candidates.clear();
    for (int i = 0; i < n_; ++i) {
        ++counts_[bucket_of(number(row_[i]))];
    }
    for (int bucket = 0; bucket < n_buckets; ++bucket) {
        if (counts_[bucket] > 0) {
            lowest_used_ = bucket;
            break;
        }
    }
}

bool bucket_walk::extend() {
    if (next_ == 0) {
        return false;
    }
    const size_t n_before = scratch_.candidates.size();
    const size_t n_wanted = std::max<size_t>(1024, 2 * n_before);
    size_t at[n_buckets];
    size_t n_after = n_before;
    const int end = next_;
    while (next_ > 0 && n_after - n_before < n_wanted) {
        --next_;
        at[next_] = n_after;
        n_after += counts_[next_];
    }
    scratch_.candidates.resize(n_after);
    for_each_from(next_, row_, n_, [&](token id, float logit) {
        const int bucket = bucket_of(logit);
        if (bucket < end) {
            scratch_.candidates[at[bucket]++] = {id, logit, 0};
        }
    });
    for (int bucket = next_; bucket < end; ++bucket) {
        candidate * last = scratch_.candidates.data() + at[bucket];
        sort_bucket(bucket, last - counts_[bucket], last);
    }
    return true;
}

void bucket_walk::sort_bucket(int bucket, candidate * first, candidate * last) const {
    if (bucket == lowest_used_) {
        std::partial_sort(first, last, last, is_better);  // as upstream does with the last one
    } else {
        std::sort(first, last, is_better);
    }
}

}  // namespace jan
