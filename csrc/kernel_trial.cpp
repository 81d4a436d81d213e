#include "kernel_trial.h"

#include "error.h"
#include "sequence.h"

#include <algorithm>
#include <limits>
#include <memory>
#include <vector>

namespace jan {

namespace {

constexpr int n_first = 8;  // rows of the first passes, which tell what the others may take
// What a row takes in a pass of many, in proportion to a row of those: the weights are read once.
constexpr double share_in_large = 0.5;
constexpr int most_rounds = 9;
constexpr int most_decodes = 8;  // in a round, which has as long for them as for a large piece
// The flash kernel loses with depth, so what is seen at less than this says little.
constexpr double least_share_of_depth = 0.5;
// After one round the plain products have won if they lead by so much; else a neighbour may have done it.
constexpr double clear_lead = 0.05;

// One kernel's lanes. Lane 0 is read like a prompt; the others become copies of it.
class contestant {
  public:
    contestant(forward & through, const trial_size & size, const std::function<double()> & clock_s)
        : through_(through), clock_s_(clock_s) {
        request prompt;
        for (int i = 0; i < size.depth + size.n_small; ++i) {  // different tokens, so that experts differ
            prompt.prompt.push_back(static_cast<token>(7 * i % through.n_vocab()));
        }
        for (int lane = 0; lane < size.n_lanes; ++lane) {
            lanes_.push_back(std::make_unique<sequence>(prompt, 0));
            lanes_.back()->lane = lane;
        }
    }

    // The next n tokens of lane 0.
    double read(int n) {
        const slice piece{lanes_[0].get(), n, 1};
        const double took_s = pass({piece});
        lanes_[0]->n_computed += n;
        return took_s;
    }

    void cut(int n_left) {
        through_.apply({lane_change::kind::trim, 0, -1, n_left, 0});
        lanes_[0]->n_computed = n_left;
    }

    void copy() {
        for (size_t i = 1; i < lanes_.size(); ++i) {
            lanes_[i]->n_computed = lanes_[0]->n_computed;
            through_.apply({lane_change::kind::copy, static_cast<int>(i), 0, lanes_[0]->n_computed, 0});
        }
    }

    // One row in every lane, which is then as deep as before.
    double decode() {
        std::vector<slice> rows;
        for (const auto & lane : lanes_) {
            rows.push_back({lane.get(), 1, 1});
        }
        const double took_s = pass(rows);
        for (const auto & lane : lanes_) {
            through_.apply({lane_change::kind::trim, lane->lane, -1, lane->n_computed, 0});
        }
        return took_s;
    }

    // Once small pieces were timed they are timed on: a minimum that sinks may ask for them again.
    bool needs_small(const trial_size & size, const prompt_pace & pace) const {
        return best.small_s > 0 || reads_small(best, size, pace);
    }

    kernel_times best;

  private:
    double pass(const std::vector<slice> & rows) {
        const double start_s = clock_s_();
        if (through_.run(rows.data(), static_cast<int>(rows.size())) != pass_status::done) {
            throw error(errc::backend_failure, through_.failure());
        }
        through_.logits(0);  // the pass has ended when its results are here
        return clock_s_() - start_s;
    }

    forward & through_;
    const std::function<double()> & clock_s_;
    std::vector<std::unique_ptr<sequence>> lanes_;
};

void note(double & best, double seconds) { best = best > 0 ? std::min(best, seconds) : seconds; }

}  // namespace

kernel_choice time_kernels(forward & plain, forward & flash, trial_size size, const prompt_pace & pace,
                           double limit_s, const std::function<double()> & clock_s) {
    const double end_s = clock_s() + limit_s;
    contestant both[] = {{plain, size, clock_s}, {flash, size, clock_s}};
    bool turn = false;
    // The same for each kernel, side by side in time; who begins changes, since what runs second finds
    // caches and clock rates as the first left them.
    const auto each = [&](const auto & what) {
        turn = !turn;
        what(both[turn]);
        what(both[!turn]);
    };

    double row_s = std::numeric_limits<double>::max();
    for (int i = 0; i < 2; ++i) {  // the first pass faults pages in
        each([&](contestant & one) {
            row_s = std::min(row_s, one.read(n_first) / n_first);
            one.cut(0);
        });
    }
    // In rows of those passes, what each kind of pass costs.
    const double decode = size.n_lanes > n_first ? share_in_large * size.n_lanes : size.n_lanes;
    const double large = share_in_large * size.n_large;
    const double small = share_in_large * size.n_small;
    const int n_decodes = std::clamp(static_cast<int>(large / decode), 2, most_decodes);
    double round_s = 2 * row_s * (n_decodes * decode + large + small);
    const int wanted = size.depth - size.n_large;
    const double left_s = std::max(0.0, end_s - clock_s() - round_s);
    const double affordable = left_s / (2 * share_in_large * row_s);
    const int n_before = affordable < wanted ? static_cast<int>(affordable) : wanted;
    const int likely = size.depth;
    size.depth = n_before + size.n_large;
    if (2 * row_s * (decode + large + small) > limit_s || size.depth < least_share_of_depth * likely) {
        kernel_choice choice;
        choice.flash = 0;
        choice.reason = kernel_reason::untimed;
        return choice;
    }
    for (int n = 0; n < n_before; n += size.n_large) {
        each([&](contestant & one) { one.read(std::min(size.n_large, n_before - n)); });
    }

    kernel_choice choice;
    for (int n_rounds = 1; n_rounds <= most_rounds; ++n_rounds) {
        const double start_s = clock_s();
        turn = n_rounds % 2 == 0;
        each([&](contestant & one) { note(one.best.large_s, one.read(size.n_large)); });
        if (n_rounds == 1) {
            for (contestant & one : both) {
                one.copy();
            }
        }
        for (int i = 0; i < n_decodes; ++i) {
            each([&](contestant & one) { note(one.best.decode_s, one.decode()); });
        }
        if (both[0].needs_small(size, pace) || both[1].needs_small(size, pace)) {
            each([&](contestant & one) { note(one.best.small_s, one.read(size.n_small)); });
        }
        for (contestant & one : both) {
            one.cut(n_before);
        }
        choice = choose_kernel(both[0].best, both[1].best, size, pace);
        choice.n_rounds = n_rounds;
        round_s = clock_s() - start_s;
        const bool to_confirm = n_rounds == 1 && choice.flash_s < (1 + clear_lead) * choice.plain_s;
        if (!to_confirm && clock_s() + round_s > end_s) {
            break;
        }
    }
    return choice;
}

}  // namespace jan
