// Which attention kernel is taken, on machines whose clocks are made up.
#include "check.h"

#include "error.h"
#include "kernel_choice.h"
#include "kernel_trial.h"
#include "sequence.h"

#include <cmath>
#include <functional>
#include <string>
#include <vector>

namespace {

using namespace jan;

using pass_cost = std::function<double(int n_rows, int n_lanes, int depth)>;

// A kernel whose passes take what `cost` says, on a clock that both kernels share.
class priced_forward final : public forward {
  public:
    priced_forward(const trial_size & size, double & now_s, pass_cost cost)
        : shape_{kv_mode::streams, size.n_lanes, 0, 2048, true}, held_(static_cast<size_t>(size.n_lanes)),
          now_s_(now_s), cost_(std::move(cost)) {}

    const kv_shape & shape() const override { return shape_; }
    int max_rows() const override { return 64; }
    int max_outputs() const override { return 64; }
    int n_vocab() const override { return 2; }
    bool can_shift(int) override { return true; }
    pass_status run(const slice * slices, int n) override {
        int n_rows = 0;
        for (int i = 0; i < n; ++i) {
            const sequence & s = *slices[i].of;
            int & held = held_[static_cast<size_t>(s.lane)];
            if (held != s.n_computed || held + slices[i].n_tokens > static_cast<int>(s.tokens.size())) {
                failure_ = "a slice that does not continue its lane";
                return pass_status::failed;
            }
            held += slices[i].n_tokens;
            n_rows += slices[i].n_tokens;
        }
        passes.push_back({n_rows, n, held_[0]});
        now_s_ += cost_(n_rows, n, held_[0]);
        return n_rows == fails_at ? pass_status::failed : pass_status::done;
    }
    const std::string & failure() const override { return failure_; }
    float * logits(int) override { return nullptr; }
    void apply(const lane_change & change) override {
        const auto at = [&](int lane) -> int & { return held_[static_cast<size_t>(lane)]; };
        CHECK(change.what == lane_change::kind::trim || at(change.other) == change.n);
        at(change.lane) = change.n;
    }
    void abort() override {}

    struct pass {
        int n_rows;
        int n_lanes;
        int depth;
    };
    std::vector<pass> passes;
    int fails_at = -1;

  private:
    kv_shape shape_;
    std::vector<int> held_;  // cells of each lane
    double & now_s_;
    pass_cost cost_;
    std::string failure_ = "the device failed";
};

kernel_choice contest(const trial_size & size, double limit_s, const pass_cost & plain,
                      const pass_cost & flash) {
    double now_s = 0;
    priced_forward one(size, now_s, plain);
    priced_forward other(size, now_s, flash);
    return time_kernels(one, other, size, {}, limit_s, [&] { return now_s; });
}

bool near(double a, double b) { return std::abs(a - b) < 1e-9; }

double even(int n_rows, int, int) { return 0.001 + 0.0001 * n_rows; }

void test_the_trial_is_as_deep_as_the_context_makes_likely() {
    CHECK(plan_trial(8, 512, 512).depth == 128);
    CHECK(plan_trial(8, 4096, 512).depth == 1024);
    CHECK(plan_trial(1, 8192, 512).depth == 1024);
    CHECK(plan_trial(32, 8192, 512).depth == 256);  // many lanes hold many cells
    CHECK(plan_trial(200, 256, 512).n_lanes == 32);
    CHECK(plan_trial(8, 256, 512).depth == 64);
    const trial_size narrow = plan_trial(32, 512, 8);
    CHECK(narrow.n_lanes == 8 && narrow.n_large == 8 && narrow.n_small == 8);
}

void test_a_request_is_made_of_all_three_passes() {
    trial_size size;
    size.n_lanes = 4;
    CHECK(near(request_token_s({0.4, 0.512, 0.9}, size, {}), 0.1 + 0.008));  // large pieces all the time
    CHECK(near(request_token_s({0.4, 1.28, 1.28}, size, {}), 0.1 + 0.5 * (0.02 + 0.04)));
    CHECK(near(request_token_s({0.4, 1.28, 1.28}, size, {0.01, 5}), 0.1 + 0.02));  // who may wait longer
    CHECK(near(request_token_s({0.004, 0.0064, 0.0064}, size, {0.011, 1}), 0.001 + 0.0001));
    size.n_lanes = 1;  // nobody is there to wait
    CHECK(near(request_token_s({0.1, 1.28, 1.28}, size, {}), 0.1 + 0.02));
}

void test_a_tie_within_noise_keeps_the_plain_products() {
    trial_size size;
    const kernel_times plain = {1, 1, 1};
    CHECK(choose_kernel(plain, plain, size, {}).flash == 0);
    CHECK(choose_kernel(plain, {0.99, 0.99, 0.99}, size, {}).flash == 0);
    CHECK(choose_kernel(plain, {0.95, 0.95, 0.95}, size, {}).flash == 1);
    trial_size shared;
    shared.n_lanes = 8;  // slow beside streams
    CHECK(choose_kernel({1, 2, 1}, {0.9, 1.8, 3}, shared, {}).flash == 0);
    CHECK(choose_kernel({1, 2, 1}, {0.9, 1.8, 1}, shared, {}).flash == 1);
    CHECK(choose_kernel(plain, {1.05, 1.05, 1.05}, size, {}).flash == 0);
}

void test_the_faster_kernel_is_taken() {
    const trial_size size = plan_trial(8, 512, 512);
    const pass_cost faster = [](int n_rows, int n_lanes, int depth) {
        return 0.9 * even(n_rows, n_lanes, depth);
    };
    const kernel_choice flash = contest(size, 10, even, faster);
    CHECK(flash.flash == 1 && flash.reason == kernel_reason::timed);
    CHECK(flash.flash_s > 0 && flash.flash_s < flash.plain_s);
    CHECK(contest(size, 10, faster, even).flash == 0);
    CHECK(contest(size, 10, even, even).flash == 0);
}

void test_what_is_faster_in_an_empty_cache_only_is_not_taken() {
    const trial_size size = plan_trial(8, 4096, 512);
    const pass_cost deep = [](int n_rows, int n_lanes, int depth) {
        return 0.9 * even(n_rows, n_lanes, depth) + 2e-8 * n_rows * depth;
    };
    CHECK(contest(size, 100, even, deep).flash == 0);
    CHECK(contest(plan_trial(8, 256, 512), 100, even, deep).flash == 1);
}

void test_a_neighbour_that_takes_the_processor_changes_nothing() {
    const trial_size size = plan_trial(8, 512, 512);
    for (int spoiled = 0; spoiled < 40; ++spoiled) {  // whichever pass it falls on
        int n = 0;
        const auto disturbed = [&](double share) {
            return [&n, share, spoiled](int n_rows, int n_lanes, int depth) {
                return share * even(n_rows, n_lanes, depth) * (n++ == spoiled ? 3 : 1);
            };
        };
        CHECK(contest(size, 10, disturbed(1), disturbed(0.9)).flash == 1);
        n = 0;
        CHECK(contest(size, 10, disturbed(1), disturbed(1)).flash == 0);
    }
}

void test_passes_are_in_turn_and_alike() {
    const trial_size size = plan_trial(4, 512, 512);
    double now_s = 0;
    std::string order;
    const auto noted = [&](char who) {
        return [&order, who](int n_rows, int n_lanes, int depth) {
            order += who;
            return even(n_rows, n_lanes, depth);
        };
    };
    priced_forward plain(size, now_s, noted('p'));
    priced_forward flash(size, now_s, noted('f'));
    time_kernels(plain, flash, size, {}, 10, [&] { return now_s; });
    CHECK(plain.passes.size() == flash.passes.size());
    for (size_t i = 0; i < plain.passes.size(); ++i) {
        CHECK(order[2 * i] != order[2 * i + 1]);
        CHECK(plain.passes[i].n_rows == flash.passes[i].n_rows);
        CHECK(plain.passes[i].depth == flash.passes[i].depth);
    }
    // Each kind of pass is begun by either kernel in turn.
    int n_plain_first = 0;
    int n_large = 0;
    for (size_t i = 0; i < plain.passes.size(); ++i) {
        if (plain.passes[i].n_rows == size.n_large && plain.passes[i].depth == size.depth) {
            n_plain_first += order[2 * i] == 'p';
            ++n_large;
        }
    }
    CHECK(n_large >= 2 && n_plain_first >= n_large / 2 && n_plain_first <= (n_large + 1) / 2);
}

void test_a_large_model_is_not_waited_for() {
    const trial_size size = plan_trial(8, 4096, 512);
    const pass_cost slow = [](int n_rows, int, int) { return 0.5 + 0.1 * n_rows; };
    double now_s = 0;
    priced_forward plain(size, now_s, slow);
    priced_forward flash(size, now_s, slow);
    const kernel_choice choice = time_kernels(plain, flash, size, {}, 2, [&] { return now_s; });
    CHECK(choice.reason == kernel_reason::untimed && choice.flash == 0);
    CHECK(plain.passes.size() == 2 && flash.passes.size() == 2);  // which is what it takes to know
}

void test_the_time_is_kept_at_less_depth_if_need_be() {
    const trial_size size = plan_trial(8, 4096, 512);
    double now_s = 0;
    const pass_cost medium = [](int n_rows, int, int) { return 0.01 + 0.001 * n_rows; };
    priced_forward plain(size, now_s, medium);
    priced_forward flash(size, now_s, medium);
    const kernel_choice choice = time_kernels(plain, flash, size, {}, 2, [&] { return now_s; });
    CHECK(choice.reason == kernel_reason::timed && choice.n_rounds >= 1);
    CHECK(choice.size.depth >= size.depth / 2 && choice.size.depth < size.depth);
    CHECK(now_s < 2.6);  // and a round to confirm
}

void test_what_is_seen_far_above_the_likely_depth_decides_nothing() {
    const pass_cost slower = [](int n_rows, int, int) { return 0.02 + 0.003 * n_rows; };
    const kernel_choice deep = contest(plan_trial(8, 8192, 512), 2, slower, slower);
    CHECK(deep.reason == kernel_reason::untimed && deep.flash == 0);
    CHECK(contest(plan_trial(8, 512, 512), 2, slower, slower).reason == kernel_reason::timed);
}

void test_a_pass_that_fails_is_an_error() {
    const trial_size size = plan_trial(2, 512, 512);
    double now_s = 0;
    priced_forward plain(size, now_s, even);
    priced_forward flash(size, now_s, even);
    flash.fails_at = size.n_large;
    try {
        time_kernels(plain, flash, size, {}, 10, [&] { return now_s; });
        CHECK(false);
    } catch (const error & why) {
        CHECK(why.code == errc::backend_failure && why.message == "the device failed");
    }
}

}  // namespace

int main() {
    test_the_trial_is_as_deep_as_the_context_makes_likely();
    test_a_request_is_made_of_all_three_passes();
    test_a_tie_within_noise_keeps_the_plain_products();
    test_the_faster_kernel_is_taken();
    test_what_is_faster_in_an_empty_cache_only_is_not_taken();
    test_a_neighbour_that_takes_the_processor_changes_nothing();
    test_passes_are_in_turn_and_alike();
    test_a_large_model_is_not_waited_for();
    test_the_time_is_kept_at_less_depth_if_need_be();
    test_what_is_seen_far_above_the_likely_depth_decides_nothing();
    test_a_pass_that_fails_is_an_error();
    CHECK_DONE();
}
