#include "sampling/row_candidates.h"

#include "sampling/bucket_walk.h"
#include "sampling/candidate_order.h"
#include "sampling/row_scan.h"

#include <algorithm>
#include <cmath>

namespace jan {

namespace {

constexpr int n_block = 1024;

float number(float logit) { return std::isnan(logit) ? -INFINITY : logit; }

// The sum as upstream's softmax adds it up: one by one, in single precision.
float sum_one_by_one(const float * row, int n, float top) {
    const row_scan & scan = fastest_row_scan();
    float p[n_block];
    float sum = 0;
    for (int from = 0; from < n; from += n_block) {
        const int size = std::min(n_block, n - from);
        scan.exponentials(row + from, size, 1, top, p);
        for (int i = 0; i < size; ++i) {
            sum += p[i];
        }
    }
    return sum;
}

// The k best where no two of them are equal, so that only one order is right; otherwise an empty
// set. Reads all of the row once and a few blocks twice.
candidate_set distinct_best_of_row(const float * row, int n, size_t k, sampling_scratch & scratch) {
    std::vector<float> & maxima = scratch.scores;
    int n_in_block = 0;
    const float reached = reached_by(row, n, k, maxima, n_in_block);
    if (reached == -INFINITY) {
        return {};
    }
    const float bound = std::nextafter(reached, -INFINITY);
    scratch.candidates.clear();
    int32_t found[n_block];
    for (int block = 0; block * n_in_block < n; ++block) {
        if (maxima[static_cast<size_t>(block)] > bound) {
            const int from = block * n_in_block;
            const int n_found =
                fastest_row_scan().above(row + from, std::min(n_in_block, n - from), bound, found);
            for (int i = 0; i < n_found; ++i) {
                scratch.candidates.push_back({from + found[i], row[from + found[i]], 0});
            }
        }
    }
    candidate * best = scratch.candidates.data();
    const size_t n_found = scratch.candidates.size();
    // The one after them decides whether the last of them is alone.
    const size_t n_sorted = std::min(n_found, k + 1);
    std::partial_sort(best, best + n_sorted, best + n_found, is_better);
    for (size_t i = 1; i < n_sorted; ++i) {
        if (best[i].logit == best[i - 1].logit) {
            return {};
        }
    }
    return {best, k, true};
}

// As upstream's partial_sort goes through the row, so that equal logits end up where it puts them.
candidate_set heap_of_row(const float * row, int n, int k, sampling_scratch & scratch) {
    const row_scan & scan = fastest_row_scan();
    const auto n_heap = static_cast<size_t>(k);
    scratch.candidates.resize(n_heap);
    candidate * heap = scratch.candidates.data();
    for (int i = 0; i < k; ++i) {
        heap[i] = {i, number(row[i]), 0};
    }
    std::make_heap(heap, heap + k, is_better);
    int32_t better[n_block];
    for (int from = k; from < n; from += n_block) {
        // The bound rises while the block is gone through, so some of these are no longer better.
        const int n_better = scan.above(row + from, std::min(n_block, n - from), heap[0].logit, better);
        for (int i = 0; i < n_better; ++i) {
            const token id = from + better[i];
            if (row[id] > heap[0].logit) {
                replace_worst(heap, n_heap, {id, row[id], 0});
            }
        }
    }
    std::sort_heap(heap, heap + k, is_better);
    return {heap, n_heap, true};
}

}  // namespace

candidate_set all_of_row(const float * row, int n, sampling_scratch & scratch) {
    scratch.candidates.resize(static_cast<size_t>(n));
    for (int i = 0; i < n; ++i) {
        scratch.candidates[static_cast<size_t>(i)] = {i, number(row[i]), 0};
    }
    return {scratch.candidates.data(), scratch.candidates.size(), false};
}

candidate_set top_k_of_row(const float * row, int n, int k, sampling_scratch & scratch) {
    k = std::min(k, n);
    if (static_cast<size_t>(k) <= max_heap) {
        const candidate_set best = distinct_best_of_row(row, n, static_cast<size_t>(k), scratch);
        return best.size > 0 ? best : heap_of_row(row, n, k, scratch);
    }
    const size_t n_best = static_cast<size_t>(k);
    collect_at_least(row, n, n_best, scratch);
    sort_by_bucket(scratch.candidates.data(), scratch.candidates.size(), n_best, scratch.buckets);
    std::swap(scratch.candidates, scratch.buckets);
    return {scratch.candidates.data(), n_best, true};
}

candidate_set min_p_of_row(const float * row, int n, float p, size_t min_keep, sampling_scratch & scratch) {
    const row_scan & scan = fastest_row_scan();
    const float least = scan.max(row, n) + std::log(p);
    const float bound = std::nextafter(least, -INFINITY);
    scratch.candidates.clear();
    int32_t found[n_block];
    for (int from = 0; from < n; from += n_block) {
        const int n_found = scan.above(row + from, std::min(n_block, n - from), bound, found);
        for (int i = 0; i < n_found; ++i) {
            scratch.candidates.push_back({from + found[i], row[from + found[i]], 0});
        }
    }
    if (scratch.candidates.empty() || scratch.candidates.size() < min_keep) {
        candidate_set set = all_of_row(row, n, scratch);
        apply_min_p(set, p, min_keep, scratch);
        return set;
    }
    return {scratch.candidates.data(), scratch.candidates.size(), false};
}

candidate_set top_p_of_row(const float * row, int n, float p, size_t min_keep, sampling_scratch & scratch) {
    const float top = fastest_row_scan().max(row, n);
    if (n <= 1024 || !std::isfinite(top)) {
        candidate_set set = all_of_row(row, n, scratch);
        if (std::isfinite(top)) {
            apply_top_p(set, p, min_keep, scratch);
        }
        return set;
    }
    const float all = sum_one_by_one(row, n, top);
    float sum = 0;
    size_t i = 0;
    const auto enough = [&](const candidate_set & set, size_t end) {
        for (; i < end; ++i) {
            set.data[i].p = std::exp(set.data[i].logit - top) / all;
            sum += set.data[i].p;
            if (sum >= p && i + 1 >= min_keep) {
                return true;
            }
        }
        return false;
    };
    candidate_set set = top_k_of_row(row, n, 256, scratch);
    if (enough(set, set.size)) {
        return {set.data, i + 1, true};
    }
    bucket_walk walk(row, n, scratch);
    while (walk.extend()) {
        set = {scratch.candidates.data(), scratch.candidates.size(), true};
        if (enough(set, set.size)) {
            return {set.data, i + 1, true};
        }
    }
    return set;
}

token draw_from_row(const float * row, int n, float temperature, std::mt19937 & random,
                    sampling_scratch & scratch) {
    const row_scan & scan = fastest_row_scan();
    std::uniform_real_distribution<double> uniform(0.0, 1.0);
    const double drawn = uniform(random);
    const float top = scan.max(row, n) / temperature;
    if (!std::isfinite(top)) {
        return best_of_row(row, n);
    }
    float p[n_block];
    double sum = 0;
    scratch.sums.clear();
    for (int from = 0; from < n; from += n_block) {
        scratch.sums.push_back(
            scan.exponentials(row + from, std::min(n_block, n - from), temperature, top, p));
        sum += scratch.sums.back();
    }
    const double target = sum * drawn;
    double reached = 0;
    token last_possible = 0;
    for (int from = 0; from < n; from += n_block) {
        const double block = scratch.sums[static_cast<size_t>(from / n_block)];
        if (reached + block < target) {
            reached += block;
            continue;
        }
        const int size = std::min(n_block, n - from);
        scan.exponentials(row + from, size, temperature, top, p);
        for (int i = 0; i < size; ++i) {
            reached += p[i];
            if (reached >= target) {
                return from + i;
            }
            last_possible = p[i] > 0 ? from + i : last_possible;
        }
    }
    return last_possible;
}

}  // namespace jan
