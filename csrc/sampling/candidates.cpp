#include "sampling/candidates.h"

#include "sampling/candidate_order.h"

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <numeric>

namespace jan {

void keep_best(candidate_set & set, size_t k, sampling_scratch & scratch) {
    if (k <= max_heap) {
        std::partial_sort(set.data, set.data + k, set.data + set.size, is_better);
    } else {
        sort_by_bucket(set.data, set.size, k, scratch.buckets);
        std::copy_n(scratch.buckets.data(), k, set.data);
    }
    set.size = k;
    set.sorted = true;
}

void softmax(candidate_set & set, bool sort, sampling_scratch & scratch) {
    if (sort && !set.sorted) {
        keep_best(set, set.size, scratch);
    }
    float top = set.data[0].logit;
    if (!set.sorted) {
        for (size_t i = 1; i < set.size; ++i) {
            top = std::max(top, set.data[i].logit);
        }
    }
    float sum = 0;
    for (size_t i = 0; i < set.size; ++i) {
        const float p = std::exp(set.data[i].logit - top);
        set.data[i].p = p;
        sum += p;
    }
    for (size_t i = 0; i < set.size; ++i) {
        set.data[i].p /= sum;
    }
}

void apply_top_k(candidate_set & set, int k, sampling_scratch & scratch) {
    const size_t n = std::min(static_cast<size_t>(k), set.size);
    if (!set.sorted) {
        keep_best(set, n, scratch);
    }
    set.size = n;
}

void apply_top_p(candidate_set & set, float p, size_t min_keep, sampling_scratch & scratch) {
    softmax(set, false, scratch);
    size_t k = set.size;
    const candidate * best = set.data;
    if (!set.sorted && set.size > 1024) {
        k = 256;
        sort_by_bucket(set.data, set.size, k, scratch.buckets);
        best = scratch.buckets.data();
    } else if (!set.sorted) {
        keep_best(set, k, scratch);
    }
    float sum = 0;
    size_t n = set.size;
    for (size_t i = 0; i < set.size; ++i) {
        sum += best[i].p;
        if (sum >= p && i + 1 >= min_keep) {
            n = i + 1;
            break;
        }
        if (!set.sorted && i == k - 1) {
            k = set.size;
            sort_by_bucket(set.data, set.size, k, scratch.buckets);
            best = scratch.buckets.data();
        }
    }
    if (!set.sorted) {
        std::copy_n(scratch.buckets.data(), n, set.data);
        set.sorted = true;
    }
    set.size = n;
}

void apply_min_p(candidate_set & set, float p, size_t min_keep, sampling_scratch & scratch) {
    if (!set.sorted) {
        float top = -FLT_MAX;
        for (size_t i = 0; i < set.size; ++i) {
            top = std::max(top, set.data[i].logit);
        }
        const float least = top + std::log(p);
        size_t n = 0;
        for (size_t i = 0; i < set.size; ++i) {
            n += set.data[i].logit >= least ? 1 : 0;
        }
        if (n > 0 && n >= min_keep) {
            size_t to = 0;
            for (size_t i = 0; i < set.size; ++i) {
                if (set.data[i].logit >= least) {
                    set.data[to++] = set.data[i];
                }
            }
            set.size = n;
            return;
        }
        keep_best(set, set.size, scratch);
    }
    const float least = set.data[0].logit + std::log(p);
    size_t n = 1;
    while (n < set.size && !(set.data[n].logit < least && n >= min_keep)) {
        ++n;
    }
    set.size = n;
}

void apply_typical_p(candidate_set & set, float p, size_t min_keep, sampling_scratch & scratch) {
    softmax(set, true, scratch);
    float entropy = 0;
    for (size_t i = 0; i < set.size; ++i) {
        entropy += -set.data[i].p * std::log(set.data[i].p);
    }
    if (std::isnan(entropy)) {
        // Something has probability 0, and 0 * log(0) is not a number; sorting by that has no meaning.
        entropy = 0;
        for (size_t i = 0; i < set.size; ++i) {
            entropy -= set.data[i].p > 0 ? set.data[i].p * std::log(set.data[i].p) : 0;
        }
    }
    scratch.scores.resize(set.size);
    for (size_t i = 0; i < set.size; ++i) {
        scratch.scores[i] = std::fabs(-std::log(set.data[i].p) - entropy);
    }
    scratch.indices.resize(set.size);
    std::iota(scratch.indices.begin(), scratch.indices.end(), 0);
    std::sort(scratch.indices.begin(), scratch.indices.end(), [&](int32_t a, int32_t b) {
        return scratch.scores[static_cast<size_t>(a)] < scratch.scores[static_cast<size_t>(b)];
    });
    float sum = 0;
    size_t n = set.size;
    for (size_t i = 0; i < set.size; ++i) {
        sum += set.data[scratch.indices[i]].p;
        if (sum > p && (min_keep == 0 || i >= min_keep - 1)) {
            n = i + 1;
            break;
        }
    }
    scratch.buckets.resize(n);
    for (size_t i = 0; i < n; ++i) {
        scratch.buckets[i] = set.data[scratch.indices[i]];
    }
    std::copy_n(scratch.buckets.data(), n, set.data);
    set.size = n;
    set.sorted = false;
}

void apply_top_n_sigma(candidate_set & set, float n_sigma) {
    if (set.size <= 1) {
        return;
    }
    float top = set.data[0].logit;
    float sum = 0;
    size_t n = 0;
    for (size_t i = 0; i < set.size; ++i) {
        if (set.data[i].logit != -INFINITY) {
            top = std::max(top, set.data[i].logit);
            sum += set.data[i].logit;
            ++n;
        }
    }
    const float mean = n > 0 ? sum / static_cast<float>(n) : 0;
    float squares = 0;
    for (size_t i = 0; i < set.size; ++i) {
        if (set.data[i].logit != -INFINITY) {
            const double off = set.data[i].logit - mean;
            squares = static_cast<float>(squares + off * off);
        }
    }
    const float deviation = n > 0 ? std::sqrt(squares / static_cast<float>(n)) : 0;
    for (size_t i = 0; i < set.size; ++i) {
        if (set.data[i].logit < top - n_sigma * deviation) {
            set.data[i].logit = -INFINITY;
        }
    }
}

void apply_xtc(candidate_set & set, float probability, float threshold, size_t min_keep,
               std::mt19937 & random, sampling_scratch & scratch) {
    if (set.size < 2) {
        return;
    }
    std::uniform_real_distribution<float> chance(0.0f, 1.0f);
    if (chance(random) > probability) {
        return;
    }
    softmax(set, true, scratch);
    size_t last = 0;
    for (size_t i = 0; i < set.size && set.data[i].p >= threshold; ++i) {
        last = i;
    }
    if (last > 0 && set.size - last >= min_keep) {
        set.data += last;
        set.size -= last;
    }
}

void apply_temperature(candidate_set & set, float temperature) {
    if (temperature > 0) {
        for (size_t i = 0; i < set.size; ++i) {
            set.data[i].logit /= temperature;
        }
        return;
    }
    size_t best = 0;
    for (size_t i = 1; i < set.size; ++i) {
        best = set.data[i].logit > set.data[best].logit ? i : best;
    }
    for (size_t i = 0; i < set.size; ++i) {
        set.data[i].logit = i == best ? set.data[i].logit : -INFINITY;
    }
}

void apply_dynamic_temperature(candidate_set & set, float temperature, float range, float exponent,
                               sampling_scratch & scratch) {
    if (set.size <= 1) {
        return;
    }
    const float coldest = std::max(0.0f, temperature - range);
    const float hottest = temperature + range;
    const float most = -std::log(1.0f / static_cast<float>(set.size));
    softmax(set, true, scratch);
    float entropy = 0;
    for (size_t i = 0; i < set.size; ++i) {
        const float p = set.data[i].p;
        if (p > 0) {
            entropy -= p * std::log(p);
        }
    }
    apply_temperature(set, coldest + (hottest - coldest) * std::pow(entropy / most, exponent));
}

size_t draw(candidate_set & set, std::mt19937 & random) {
    std::uniform_real_distribution<double> uniform(0.0, 1.0);
    const double drawn = uniform(random);
    if (set.size == 1) {
        set.data[0].p = 1;
        return 0;
    }
    size_t best = 0;
    for (size_t i = 1; i < set.size && !set.sorted; ++i) {
        best = set.data[i].logit > set.data[best].logit ? i : best;
    }
    const float top = set.data[best].logit;
    if (!std::isfinite(top)) {
        for (size_t i = 0; i < set.size; ++i) {
            set.data[i].p = i == best ? 1.0f : 0.0f;
        }
        return best;
    }
    double sum = 0;
    for (size_t i = 0; i < set.size; ++i) {
        const float p = std::exp(set.data[i].logit - top);
        set.data[i].p = p;
        sum += p;
    }
    const double target = sum * drawn;
    double reached = 0;
    size_t chosen = set.size;
    for (size_t i = 0; i < set.size; ++i) {
        reached += chosen == set.size ? set.data[i].p : 0;
        if (chosen == set.size && reached >= target) {
            chosen = i;
        }
        set.data[i].p = static_cast<float>(set.data[i].p / sum);
    }
    return std::min(chosen, set.size - 1);
}

}  // namespace jan
