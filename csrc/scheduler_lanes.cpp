// Which lane a sequence gets, and when lanes are moved: the scheduler's dealings with the ledger.
#include "scheduler.h"

#include <algorithm>

namespace jan {

void scheduler::give_lane(sequence * s, const prefix_match & match, double now_s) {
    int lane = match.lane;
    // An idle lane is continued in place, unless much of what it holds would be lost by that
    // and there is another one to copy to.
    const bool in_place = lane >= 0 && ledger_.idle(lane) && 2 * match.n_tokens >= ledger_.n_tokens(lane);
    if (!in_place) {
        const int other = ledger_.idle_lane(match.lane);
        if (other >= 0) {
            empty_lane(other);
            if (match.n_tokens > 0) {
                ledger_.copy(match.lane, other, match.n_tokens);
                pending_.push_back({lane_change::kind::copy, other, match.lane, match.n_tokens, 0});
            }
            lane = other;
        }
    }
    if (ledger_.n_tokens(lane) > match.n_tokens) {
        ledger_.truncate(lane, match.n_tokens);
        pending_.push_back({lane_change::kind::trim, lane, -1, match.n_tokens, 0});
    }
    const int n_out = s->ask.max_tokens < 0 ? ledger_.shape().n_ctx : s->ask.max_tokens;
    const int n_most = std::min<int>(ledger_.shape().n_ctx, static_cast<int>(s->tokens.size()) + n_out);
    ledger_.claim(lane, s->ask.id, s->ask.cache_salt, s->ask.cache_prompt, n_most);
    s->tokens.reserve(static_cast<size_t>(n_most) + 1);
    s->made.reserve(static_cast<size_t>(n_most));
    if (options_.speculation && s->ask.speculate && ledger_.shape().can_truncate && !s->guesses &&
        n_out > 1) {
        s->guesses = std::make_unique<drafter>(n_most);
        s->drafts.reserve(drafter::most);
        s->chosen.reserve(drafter::most + 1);
    }
    waiting_.erase(std::find(waiting_.begin(), waiting_.end(), s));
    running_.push_back(s);
    s->lane = lane;
    s->n_computed = match.n_tokens;
    s->found = {};
    if (s->n_cached < 0) {
        s->n_cached = match.n_tokens;
        s->started_s = now_s;
        s->admitted = ++n_admitted_;
        last_turn_[s->ask.caller] = n_admitted_;
    }
    std::stable_sort(running_.begin(), running_.end(),
                     [](const sequence * a, const sequence * b) { return a->admitted < b->admitted; });
}

// Decoding lanes that are not neighbours cost a pass per run of neighbours. The time lost so
// is counted, and once it exceeds what moving lanes together costs, they are moved.
void scheduler::close_lanes() {
    if (ledger_.shape().mode == kv_mode::unified) {
        return;
    }
    order_.clear();
    for (sequence * s : running_) {
        if (s->n_left() == 1 && is_served(s) && !s->ask.deterministic) {
            order_.push_back(s);
        }
    }
    std::sort(order_.begin(), order_.end(),
              [](const sequence * a, const sequence * b) { return a->lane < b->lane; });
    const int n = static_cast<int>(order_.size());
    double apart = 0;
    int n_run = 0;
    int n_runs = 0;
    for (int i = 0; i < n; ++i) {
        ++n_run;
        if (i + 1 == n ||
            order_[static_cast<size_t>(i) + 1]->lane != order_[static_cast<size_t>(i)]->lane + 1) {
            apart += cost_.decode.seconds({n_run, 0});
            n_run = 0;
            ++n_runs;
        }
    }
    if (n_runs <= 1) {
        scattered_s_ = 0;
        return;
    }
    const auto shifts = [](const lane_change & c) { return c.what == lane_change::kind::shift; };
    if (std::any_of(plan_.changes.begin(), plan_.changes.end(), shifts)) {
        return;  // a shifted lane is whole only after its next pass
    }
    scattered_s_ += std::max(0.0, apart - cost_.decode.seconds({n, 0}));
    // The window of n lanes that the fewest tokens must move into.
    const auto decodes = [&](int lane) {
        return std::any_of(order_.begin(), order_.end(), [&](const sequence * s) { return s->lane == lane; });
    };
    int best = 0;
    int64_t best_moved = INT64_MAX;
    for (int first = 0; first + n <= ledger_.shape().n_lanes; ++first) {
        int64_t moved = 0;
        for (int lane = 0; lane < ledger_.shape().n_lanes; ++lane) {
            const bool inside = lane >= first && lane < first + n;
            moved += inside != decodes(lane) ? ledger_.n_tokens(lane) : 0;
        }
        if (moved < best_moved) {
            best = first;
            best_moved = moved;
        }
    }
    if (static_cast<double>(best_moved) * copy_token_s_ > scattered_s_) {
        return;
    }
    scattered_s_ = 0;
    int hole = best;
    for (sequence * s : order_) {
        if (s->lane >= best && s->lane < best + n) {
            continue;
        }
        while (decodes(hole)) {
            ++hole;
        }
        const int from = s->lane;
        for (sequence * other : running_) {
            other->lane = other->lane == hole ? from : other == s ? hole : other->lane;
        }
        ledger_.swap(from, hole);
        plan_.changes.push_back({lane_change::kind::swap, hole, from, 0, 0});
    }
}

}  // namespace jan
