// Sequences whose rows have passes of their own, cut alike every time: the scheduler's dealings with
// request::deterministic.
#include "scheduler.h"

#include <algorithm>

namespace jan {

// As many rows as the least piece of any prompt that needs a pass of its own.
constexpr int most_fixed_rows = 32;

int scheduler::fixed_piece() const {
    // Rows that may all have output, so that scoring a prompt cuts it no differently.
    const int n_scored = options_.max_outputs - ledger_.shape().n_lanes;
    return std::max(1, std::min({most_fixed_rows, options_.max_rows, n_scored}));
}

// Leaves in `order_`, of those that decode in passes of their own, as many as this step has time for: each
// such pass delays all others by nearly a step of theirs. Those that waited longest stay, at least one.
void scheduler::limit_alone() {
    const auto alone = [](const sequence * s) { return s->ask.deterministic; };
    const auto n_alone = static_cast<int>(std::count_if(order_.begin(), order_.end(), alone));
    const int n_together = static_cast<int>(order_.size()) - n_alone;
    if (n_alone <= 1 || n_together == 0) {
        return;
    }
    const double together_s = cost_.decode.seconds({n_together, 0});
    const double limit_s = std::max(options_.token_gap_s, options_.slowdown * together_s);
    const double each_s = std::max(1e-9, cost_.decode.seconds({1, 0}));
    const int n_most =
        std::max(1, static_cast<int>(std::min<double>(n_alone, (limit_s - together_s) / each_s)));
    const auto first = std::stable_partition(order_.begin(), order_.end(),
                                             [](const sequence * s) { return !s->ask.deterministic; });
    std::stable_sort(first, order_.end(), [](const sequence * a, const sequence * b) {
        return a->last_token_s < b->last_token_s;
    });
    order_.resize(static_cast<size_t>(n_together + n_most));
    std::sort(order_.begin(), order_.end(),
              [](const sequence * a, const sequence * b) { return a->admitted < b->admitted; });
}

}  // namespace jan
