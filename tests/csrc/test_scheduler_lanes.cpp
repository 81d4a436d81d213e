// When the scheduler moves lanes together, and when it must not.
#include "check.h"

#include "scheduler.h"

#include <algorithm>
#include <memory>
#include <vector>

namespace {

using namespace jan;

constexpr int n_lanes = 6;

// Four streams of which two, at its far end, decode apart from the others.
class scattered_streams {
  public:
    scattered_streams() : ledger_({kv_mode::streams, n_lanes, n_lanes * 1024, 1024, true}) {
        for (int i = 0; i < 8; ++i) {  // a pass reads all weights, however few its rows
            for (const int n_rows : {1, 2, 4, 8}) {
                cost_.decode.observe({n_rows, 0}, 0.01 + 0.0001 * n_rows);
                cost_.prefill.observe({n_rows, 0}, 0.01 + 0.0001 * n_rows);
            }
        }
        for (int i = 0; i < n_lanes; ++i) {
            request ask;
            ask.id = static_cast<uint64_t>(i + 1);
            ask.prompt.assign(40, i);
            ask.max_tokens = 1000;
            ask.speculate = false;  // what is counted is one row a step
            all_.push_back(std::make_unique<sequence>(ask, 0));
            schedule_.submit(all_.back().get());
        }
        while (std::any_of(all_.begin(), all_.end(), [](const auto & s) { return s->made.empty(); })) {
            step();
        }
        for (const auto & s : all_) {
            if (s->lane == 2 || s->lane == 3) {
                schedule_.retire(s.get());
            }
        }
    }

    const step_plan & step() {
        now_s_ += 0.02;
        const step_plan & plan = schedule_.plan(now_s_);
        for (const slice & part : plan.slices) {
            schedule_.computed(part);
            sequence & s = *part.of;
            if (part.n_outputs > 0) {
                s.first_token_s = s.made.empty() ? now_s_ : s.first_token_s;
                s.made.push_back(1);
                s.tokens.push_back(1);
            }
        }
        return plan;
    }

    void shift_one() {
        for (const auto & s : all_) {
            if (s->lane == 5) {
                CHECK(schedule_.shift(s.get(), true));
            }
        }
    }

  private:
    kv_ledger ledger_;
    pass_costs cost_;
    scheduler schedule_{scheduler_options(), ledger_, cost_};
    std::vector<std::unique_ptr<sequence>> all_;
    double now_s_ = 1;
};

bool has(const step_plan & plan, lane_change::kind what) {
    return std::any_of(plan.changes.begin(), plan.changes.end(),
                       [&](const lane_change & change) { return change.what == what; });
}

// Steps until the lanes are moved, or -1.
int steps_to_a_swap(scattered_streams & streams) {
    for (int n = 0; n < 100; ++n) {
        if (has(streams.step(), lane_change::kind::swap)) {
            return n;
        }
    }
    return -1;
}

void test_lanes_are_moved_together_once_it_pays() {
    scattered_streams streams;
    CHECK(steps_to_a_swap(streams) >= 0);
    CHECK(steps_to_a_swap(streams) == -1);  // they are neighbours now
}

// A shifted lane's keys are turned in the next pass only; a swap would carry them off unturned.
void test_no_plan_holds_a_shift_and_a_swap() {
    scattered_streams undisturbed;
    const int n_steps = steps_to_a_swap(undisturbed);
    scattered_streams streams;
    for (int i = 0; i < n_steps; ++i) {
        CHECK(!has(streams.step(), lane_change::kind::swap));
    }
    for (int i = 0; i < 3; ++i) {
        streams.shift_one();
        const step_plan & plan = streams.step();
        CHECK(has(plan, lane_change::kind::shift));
        CHECK(!has(plan, lane_change::kind::swap));
    }
    CHECK(steps_to_a_swap(streams) == 0);  // put off, not forgotten
}

}  // namespace

int main() {
    test_lanes_are_moved_together_once_it_pays();
    test_no_plan_holds_a_shift_and_a_swap();
    CHECK_DONE();
}
