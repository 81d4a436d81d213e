// Which sequences guess ahead, and how far: the scheduler's dealings with speculation.
#include "scheduler.h"

#include <algorithm>
#include <climits>

namespace jan {

// Guesses take only what is free: rows, cells and time that nobody else has a use for. Where prompts
// are computed too there is none.
void scheduler::plan_drafts() {
    auto & slices = plan_.slices;
    if (!options_.speculation || slices.empty() || plan_.n_prefill > 0) {
        return;
    }
    const kv_shape & shape = ledger_.shape();
    draft_plan::bounds within;
    within.n_rows = std::min(options_.max_rows, options_.max_outputs) - plan_.n_decode;
    within.n_rows = static_cast<int>(std::min<int64_t>(within.n_rows, ledger_.n_free() - plan_.n_decode));
    within.worst_steps = purse_.steps();
    within.most_level = shape.mode == kv_mode::streams ? INT_MAX : 0;
    bool any = false;
    drafts_.clear();
    for (const slice & planned : slices) {
        sequence & s = *planned.of;
        std::vector<double> & chances = drafts_.add();
        const int n_made = static_cast<int>(s.made.size());
        const int n_to_come = s.ask.max_tokens < 0 ? INT_MAX : s.ask.max_tokens - n_made - 1;
        const int n_room = s.guesses ? shape.n_ctx - static_cast<int>(s.tokens.size()) : 0;
        const int most = std::min({drafter::most, n_to_come, n_room, within.n_rows});
        within.most_level = std::min(within.most_level, n_room);
        if (most > 0 && s.guesses->look(s.tokens)) {
            s.guesses->chances(most, chances);
            any = true;
        }
    }
    if (!any) {
        return;
    }
    const std::vector<int> & n_guesses = drafts_.choose(within, seconds_with_);
    for (size_t i = 0; i < slices.size(); ++i) {
        sequence & s = *slices[i].of;
        const int n = n_guesses[i];
        if (n > 0) {
            s.guesses->guess(s.tokens, n, s.drafts);
            slices[i].n_tokens = slices[i].n_outputs = 1 + n;
            plan_.n_drafted += n;
        } else if (s.guesses) {
            s.guesses->rest();
        }
    }
}

// What this step takes when its sequences, in their order, carry so many guesses.
double scheduler::seconds_with(const std::vector<int> & n_guesses) {
    trial_ = plan_.slices;
    for (size_t i = 0; i < trial_.size(); ++i) {
        trial_[i].n_tokens = 1 + n_guesses[i];
    }
    trial_ends_.clear();
    form_passes(trial_, trial_ends_);
    double seconds = 0;
    int begin = 0;
    for (const int end : trial_ends_) {
        seconds += decode_seconds(size_of(trial_.data() + begin, end - begin));
        begin = end;
    }
    return seconds;
}

// Of more rows than were ever decoded at once, what prompts took says more than a multiple of fewer.
// Where no pass was ever so large, up to twice as many rows are hoped to take no longer than the largest:
// nobody would find out otherwise, and what is lost comes out of the purse.
double scheduler::decode_seconds(pass_size size) const {
    const double by_fewer = cost_.decode.seconds(size);
    const int n_seen = cost_.decode.most_rows();
    if (size.n_rows <= n_seen || n_seen == 0) {
        return by_fewer;
    }
    const auto alike = [&](int n) { return pass_size{n, size.n_read * n / size.n_rows}; };
    const int n_known = std::max(n_seen, cost_.prefill.most_rows());
    if (size.n_rows > n_known && size.n_rows <= 2 * n_known) {
        const cost_model & knows = n_known > n_seen ? cost_.prefill : cost_.decode;
        return std::min(by_fewer, knows.seconds(alike(n_known)));
    }
    if (cost_.prefill.least_rows() == 0) {
        return by_fewer;
    }
    const int n_of_prompts = std::max(size.n_rows, cost_.prefill.least_rows());
    const double least = cost_.decode.seconds(alike(n_seen));
    const double most = cost_.prefill.seconds(alike(n_of_prompts));
    const double share = static_cast<double>(size.n_rows - n_seen) / (n_of_prompts - n_seen);
    return std::clamp(least + share * (most - least), least, by_fewer);
}

void scheduler::guessed(const sequence & s, int n, int n_right) { s.guesses->learn(n, n_right); }

void scheduler::step_took(double seconds, int n_right) {
    if (plan_.n_drafted == 0) {
        purse_.step_without();
        return;
    }
    const double without_s = drafts_.seconds_without() * cost_.decode.strain();
    if (without_s > 0) {
        purse_.step_with(seconds / without_s - 1, n_right, plan_.n_decode);
    }
}

}  // namespace jan
