#include "sampling/candidate_order.h"

#include <algorithm>
#include <cmath>

namespace jan {

namespace {

constexpr float lowest = -10;
constexpr float highest = 10;
constexpr float scale = n_buckets / (highest - lowest);
constexpr float shift = -lowest * scale;

}  // namespace

int bucket_of(float logit) {
    // Far outside, the conversion to int would overflow.
    const float place = scale * std::clamp(logit, -1000.0f, 1000.0f) + shift;
    return std::clamp(static_cast<int>(place), 0, n_buckets - 1);
}

float below_bucket(int bucket) {
    return bucket <= 0 ? -INFINITY : (static_cast<float>(bucket) - shift) / scale - 1e-3f;
}

// libstdc++'s __adjust_heap on hole 0, followed by its __push_heap.
void replace_worst(candidate * heap, size_t n, candidate by) {
    size_t hole = 0;
    size_t child = 0;
    while (child < (n - 1) / 2) {
        child = 2 * (child + 1);
        if (is_better(heap[child], heap[child - 1])) {
            --child;
        }
        heap[hole] = heap[child];
        hole = child;
    }
    if ((n & 1) == 0 && n >= 2 && child == (n - 2) / 2) {
        child = 2 * (child + 1);
        heap[hole] = heap[child - 1];
        hole = child - 1;
    }
    while (hole > 0) {
        const size_t parent = (hole - 1) / 2;
        if (!is_better(heap[parent], by)) {
            break;
        }
        heap[hole] = heap[parent];
        hole = parent;
    }
    heap[hole] = by;
}

void sort_by_bucket(const candidate * from, size_t n, size_t k, std::vector<candidate> & to) {
    size_t counts[n_buckets] = {};
    for (size_t i = 0; i < n; ++i) {
        ++counts[bucket_of(from[i].logit)];
    }
    // The bucket in which the k-th is, and where each bucket begins.
    int last = n_buckets - 1;
    size_t n_there = 0;
    size_t begin[n_buckets];
    for (; last >= 0; --last) {
        begin[last] = n_there;
        n_there += counts[last];
        if (n_there >= k) {
            break;
        }
    }
    to.resize(n_there);
    size_t at[n_buckets];
    std::copy(begin + last, begin + n_buckets, at + last);
    for (size_t i = 0; i < n; ++i) {
        const int bucket = bucket_of(from[i].logit);
        if (bucket >= last) {
            to[at[bucket]++] = from[i];
        }
    }
    for (int bucket = n_buckets - 1; bucket > last; --bucket) {
        std::sort(to.data() + begin[bucket], to.data() + at[bucket], is_better);
    }
    std::partial_sort(to.data() + begin[last], to.data() + k, to.data() + at[last], is_better);
}

}  // namespace jan
