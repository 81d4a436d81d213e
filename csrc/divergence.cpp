#include "divergence.h"

#include "sampling/row_scan.h"

#include <cmath>
#include <limits>

namespace jan {

namespace {

// A row's exponentials relative to its largest logit, and the logarithm of what they add up to.
struct softened {
    double sum;
    double log_of_sum;  // of the logits' exponentials; not-a-number where the row has no largest
};

softened soften(const float * logits, int n, std::vector<float> & into) {
    const row_scan & scan = fastest_row_scan();
    const float top = scan.max(logits, n);
    if (!std::isfinite(top)) {
        return {1, std::numeric_limits<double>::quiet_NaN()};
    }
    into.resize(static_cast<size_t>(n));
    const double sum = scan.exponentials(logits, n, 1.0f, top, into.data());
    return {sum, top + std::log(sum)};
}

}  // namespace

double row_nll(const float * logits, int n, token next, divergence_room & room) {
    return soften(logits, n, room.base).log_of_sum - logits[next];
}

token_divergence row_divergence(const float * base, const float * other, int n, token next,
                                divergence_room & room) {
    const softened b = soften(base, n, room.base), o = soften(other, n, room.other);
    token_divergence found;
    found.base_nll = b.log_of_sum - base[next];
    found.nll = o.log_of_sum - other[next];
    // log(p_base / p) is the difference of the logits less that of the sums, which is the same for all.
    double sum = 0;
    for (int i = 0; i < n; ++i) {
        if (room.base[static_cast<size_t>(i)] > 0) {  // a logit of -infinity stands for a p of 0
            sum += room.base[static_cast<size_t>(i)] * (static_cast<double>(base[i]) - other[i]);
        }
    }
    found.kl = sum / b.sum - (b.log_of_sum - o.log_of_sum);
    found.same_best = best_of_row(base, n) == best_of_row(other, n);
    return found;
}

}  // namespace jan
