// Deterministic sequences: their rows are cut alike whatever else there is to compute, and others wait no
// longer for them than for any piece of a prompt.
#include "check.h"

#include "scheduler.h"

#include <algorithm>
#include <map>
#include <memory>
#include <utility>
#include <vector>

namespace {

using namespace jan;

constexpr int n_lanes = 8;
constexpr double pass_s = 0.01;

class streams {
  public:
    streams() : ledger_({kv_mode::streams, n_lanes, n_lanes * 1024, 1024, true}) {
        for (int i = 0; i < 8; ++i) {
            for (const int n_rows : {1, 2, 4, 8, 32, 128}) {
                cost_.decode.observe({n_rows, 0}, pass_s + 1e-4 * n_rows);
                cost_.prefill.observe({n_rows, 0}, pass_s + 1e-4 * n_rows);
            }
        }
    }

    sequence * submit(int n_prompt, bool deterministic) {
        request ask;
        ask.id = all_.size() + 1;
        ask.prompt.assign(static_cast<size_t>(n_prompt), static_cast<token>(ask.id));
        ask.max_tokens = 1000;
        ask.deterministic = deterministic;
        ask.cache_prompt = ask.speculate = false;
        all_.push_back(std::make_unique<sequence>(ask, now_s_));
        schedule_.submit(all_.back().get());
        return all_.back().get();
    }

    const step_plan & step() {
        now_s_ += 0.02;
        const step_plan & plan = schedule_.plan(now_s_);
        int begin = 0;
        for (const int end : plan.pass_ends) {
            for (int i = begin; i < end; ++i) {
                const slice & part = plan.slices[static_cast<size_t>(i)];
                CHECK(!part.of->ask.deterministic || end - begin == 1);
                cuts_[part.of].push_back(part.n_tokens);
            }
            begin = end;
        }
        for (const slice & part : plan.slices) {
            schedule_.computed(part);
            sequence & s = *part.of;
            if (part.n_outputs > 0) {
                s.first_token_s = s.made.empty() ? now_s_ : s.first_token_s;
                s.last_token_s = now_s_;
                s.made.push_back(1);
                s.tokens.push_back(1);
            }
        }
        return plan;
    }

    void run(int n_steps) {
        for (int i = 0; i < n_steps; ++i) {
            step();
        }
    }

    void lose(sequence * s) { schedule_.lost(s); }

    const std::vector<int> & cuts(const sequence * s) { return cuts_[s]; }

  private:
    kv_ledger ledger_;
    pass_costs cost_;
    scheduler schedule_{scheduler_options(), ledger_, cost_};
    std::vector<std::unique_ptr<sequence>> all_;
    std::map<const sequence *, std::vector<int>> cuts_;
    double now_s_ = 1;
};

std::vector<int> first(const std::vector<int> & of, size_t n) {
    return {of.begin(), of.begin() + static_cast<std::ptrdiff_t>(std::min(n, of.size()))};
}

const std::vector<int> cut_of_a_hundred = {32, 32, 32, 4, 1, 1, 1, 1};

void test_rows_are_cut_alike_alone_and_in_company() {
    streams alone;
    sequence * s = alone.submit(100, true);
    alone.run(10);
    CHECK(first(alone.cuts(s), 8) == cut_of_a_hundred);

    streams busy;
    for (int i = 0; i < 5; ++i) {
        busy.submit(300 + 40 * i, false);
    }
    busy.run(3);
    s = busy.submit(100, true);
    busy.submit(700, false);
    busy.submit(90, true);
    busy.run(100);
    CHECK(first(busy.cuts(s), 8) == cut_of_a_hundred);
}

void test_cells_that_are_lost_are_computed_again_by_the_same_cuts() {
    streams all;
    sequence * s = all.submit(100, true);
    all.run(7);
    const size_t n_before = all.cuts(s).size();
    all.lose(s);
    all.run(10);
    const std::vector<int> again(all.cuts(s).begin() + static_cast<std::ptrdiff_t>(n_before),
                                 all.cuts(s).end());
    CHECK(first(again, 8) == cut_of_a_hundred);
}

void test_others_wait_for_few_of_their_passes() {
    streams all;
    std::vector<sequence *> together;
    std::vector<sequence *> apart;
    for (int i = 0; i < n_lanes; ++i) {
        (i % 2 ? apart : together).push_back(all.submit(40, i % 2));
    }
    all.run(30);
    const auto n_made = [](const sequence * s) { return s->made.size(); };
    std::vector<size_t> before;
    for (const sequence * s : apart) {
        before.push_back(n_made(s));
    }
    for (int i = 0; i < 40; ++i) {
        const size_t n_before = n_made(together[0]);
        const step_plan & plan = all.step();
        // Three of their own steps is more than slowdown allows: 1 for all, then 1 apart.
        CHECK(plan.pass_ends.size() <= together.size() + 1);
        CHECK(n_made(together[0]) == n_before + 1);
    }
    for (size_t i = 0; i < apart.size(); ++i) {  // they take turns
        CHECK(n_made(apart[i]) >= before[i] + 10);
    }
}

}  // namespace

int main() {
    test_rows_are_cut_alike_alone_and_in_company();
    test_cells_that_are_lost_are_computed_again_by_the_same_cuts();
    test_others_wait_for_few_of_their_passes();
    CHECK_DONE();
}
