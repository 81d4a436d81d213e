#include "speculation/draft_plan.h"

#include <algorithm>
#include <climits>
#include <cmath>
#include <cstddef>
#include <iterator>

namespace jan {

namespace {

// Guesses that are at least so likely right are taken together.
constexpr double levels[] = {0.95, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1};
constexpr size_t usual_most = 64;  // guesses of one sequence: memory taken before there are any
// So many of one sequence: with its own row these are sizes that kernels work in and that a cost
// model knows.
constexpr int rounded[] = {47, 31, 23, 15, 11, 7, 5, 3, 2, 1, 0};
constexpr double least_return = 1.1;  // for the time they take
// What a step with guesses takes is learned from such steps alone, so one that a busy machine made slow
// would be the last. With so much in the purse a few guesses of all together that are likely right are
// made whatever the estimates say.
constexpr double trial_steps = 4;
constexpr double trial_chance = 0.8;
constexpr int trial_most = 3;
// Who has nothing to guess waits longer for the others' sake, but not longer than this.
constexpr double most_delay = 1.5;

}  // namespace

void draft_plan::clear() { n_ = 0; }

std::vector<double> & draft_plan::add() {
    if (n_ == chances_.size()) {
        chances_.emplace_back().reserve(usual_most);
    }
    chances_[n_].clear();
    return chances_[n_++];
}

// False when this is no more than the levels before, or more than fits.
bool draft_plan::fill(double least_chance, int most, const bounds & within) {
    bool more = false;
    int n_rows = 0;
    for (size_t i = 0; i < n_; ++i) {
        const auto end = std::find_if(chances_[i].begin(), chances_[i].end(),
                                      [&](double chance) { return chance < least_chance; });
        const int n_likely = std::min(most, static_cast<int>(end - chances_[i].begin()));
        const int n =
            *std::find_if(std::begin(rounded), std::end(rounded), [&](int size) { return size <= n_likely; });
        more = more || n != trial_[i];
        trial_[i] = n;
        n_rows += n;
    }
    return more && n_rows <= within.n_rows;
}

// All as many as those who guess do on average, so that they share a pass.
bool draft_plan::make_level(const bounds & within) {
    int n_rows = 0;
    int n_guessing = 0;
    for (size_t i = 0; i < n_; ++i) {
        n_rows += trial_[i];
        n_guessing += trial_[i] > 0 ? 1 : 0;
    }
    const int n_each = n_guessing > 0 ? std::min(n_rows / n_guessing, within.most_level) : 0;
    level_.assign(n_, n_each);
    return n_each > 0 && n_each * static_cast<int>(n_) <= within.n_rows;
}

double draft_plan::expected(const std::vector<int> & n_guesses) const {
    double n = 0;
    for (size_t i = 0; i < n_; ++i) {
        for (size_t j = 0; j < std::min(chances_[i].size(), static_cast<size_t>(n_guesses[i])); ++j) {
            n += chances_[i][j];
        }
    }
    return n;
}

void draft_plan::consider(const std::vector<int> & n_guesses, const bounds & within,
                          const std::function<double(const std::vector<int> &)> & seconds, bool on_trial) {
    const double more_s = seconds(n_guesses) - seconds_without_;
    if (more_s > within.worst_steps * seconds_without_) {
        return;
    }
    const bool all = std::find(n_guesses.begin(), n_guesses.end(), 0) == n_guesses.end();
    if (!all && more_s > (most_delay - 1) * seconds_without_) {
        return;
    }
    const double worth_s = expected(n_guesses) * seconds_without_ / static_cast<double>(n_);
    const double gain_s = worth_s - (on_trial ? 0 : least_return * more_s);
    if (gain_s > best_gain_s_) {
        best_gain_s_ = gain_s;
        best_ = n_guesses;
    }
}

void draft_plan::consider_as_filled(const bounds & within,
                                    const std::function<double(const std::vector<int> &)> & seconds,
                                    bool on_trial) {
    consider(trial_, within, seconds, on_trial);
    if (within.most_level > 0 && n_ > 1 && make_level(within)) {
        consider(level_, within, seconds, on_trial);
    }
}

const std::vector<int> & draft_plan::choose(const bounds & within,
                                            const std::function<double(const std::vector<int> &)> & seconds) {
    trial_.assign(n_, 0);
    best_ = trial_;
    best_gain_s_ = 0;
    seconds_without_ = seconds(trial_);
    if (seconds_without_ <= 0) {
        return best_;  // nothing is known yet
    }
    for (const double least_chance : levels) {
        if (fill(least_chance, INT_MAX, within)) {
            consider_as_filled(within, seconds, false);
        }
    }
    if (best_gain_s_ <= 0 && within.worst_steps >= trial_steps) {
        trial_.assign(n_, 0);
        bounds narrow = within;
        narrow.n_rows = std::min(within.n_rows, trial_most);
        if (fill(trial_chance, trial_most, narrow)) {
            consider_as_filled(narrow, seconds, true);
        }
    }
    return best_;
}

}  // namespace jan
