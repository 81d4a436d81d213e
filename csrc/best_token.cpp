#include "best_token.h"

#include <algorithm>
#include <cmath>

namespace jan {

namespace {

// Written so that a compiler turns the inner loop into vector maxima: lanes are independent and
// the comparison is the instruction's own.
constexpr int n_lanes = 32;
constexpr int n_block = 1024;

float block_max(const float * x, int n) {
    float best[n_lanes];
    std::fill(best, best + n_lanes, -INFINITY);
    int i = 0;
    for (; i + n_lanes <= n; i += n_lanes) {
        for (int j = 0; j < n_lanes; ++j) {
            best[j] = x[i + j] > best[j] ? x[i + j] : best[j];
        }
    }
    for (; i < n; ++i) {
        best[0] = x[i] > best[0] ? x[i] : best[0];
    }
    return *std::max_element(best, best + n_lanes);
}

}  // namespace

token best_token(const float * logits, int n) {
    float best = -INFINITY;
    int in_block = 0;
    for (int from = 0; from < n; from += n_block) {
        const float here = block_max(logits + from, std::min(n_block, n - from));
        if (here > best) {
            best = here;
            in_block = from;
        }
    }
    const float * first = logits + in_block;
    const float * last = logits + std::min(n, in_block + n_block);
    const float * found = std::find(first, last, best);
    return found == last ? 0 : static_cast<token>(found - logits);
}

void append_logprobs(const float * logits, int n, token chosen, int n_top, std::vector<token_logprob> & to) {
    const float top = *std::max_element(logits, logits + n);
    double sum = 0;
    for (int i = 0; i < n; ++i) {
        sum += std::exp(logits[i] - top);
    }
    const float log_sum = top + static_cast<float>(std::log(sum));
    to.push_back({chosen, logits[chosen] - log_sum});
    const size_t first = to.size();
    // A heap of the best so far, its worst in front.
    const auto better = [](const token_logprob & a, const token_logprob & b) {
        return a.logprob != b.logprob ? a.logprob > b.logprob : a.id < b.id;
    };
    for (int i = 0; i < n && n_top > 0; ++i) {
        const token_logprob candidate{i, logits[i] - log_sum};
        const auto begin = to.begin() + static_cast<std::ptrdiff_t>(first);
        if (to.size() - first < static_cast<size_t>(n_top)) {
            to.push_back(candidate);
            std::push_heap(to.begin() + static_cast<std::ptrdiff_t>(first), to.end(), better);
        } else if (better(candidate, *begin)) {
            std::pop_heap(begin, to.end(), better);
            to.back() = candidate;
            std::push_heap(begin, to.end(), better);
        }
    }
    std::sort_heap(to.begin() + static_cast<std::ptrdiff_t>(first), to.end(), better);
}

}  // namespace jan
