// What the cost model makes of passes on machines whose costs are known.
#include "check.h"

#include "cost_model.h"

#include <cmath>
#include <random>

namespace {

using namespace jan;

// A pass reads the weights once, computes its rows, and looks at cells.
double machine_s(pass_size size) { return 0.02 + 0.001 * size.n_rows + 2e-7 * size.n_read; }

pass_size rows_at(int n_rows, int depth) { return {n_rows, static_cast<double>(n_rows) * (depth + n_rows)}; }

bool near(double a, double b, double share) { return std::abs(a - b) <= share * std::abs(b); }

void test_it_learns_what_reading_costs_from_one_prompt() {
    cost_model model;
    std::mt19937 random(1);
    for (int depth = 0; depth < 4000; depth += 48) {
        const double noise = 0.95 + 0.0001 * static_cast<double>(random() % 1000);
        model.observe(rows_at(48, depth), machine_s(rows_at(48, depth)) * noise);
    }
    CHECK(near(model.seconds(rows_at(48, 0)), machine_s(rows_at(48, 0)), 0.25));
    CHECK(near(model.seconds(rows_at(48, 8000)), machine_s(rows_at(48, 8000)), 0.25));
}

void test_fewer_rows_fit_the_deeper_they_are() {
    cost_model model;
    for (const int n_rows : {8, 32, 128, 512}) {
        for (int depth = 0; depth < 2000; depth += n_rows) {
            model.observe(rows_at(n_rows, depth), machine_s(rows_at(n_rows, depth)));
        }
    }
    const int shallow = model.rows_within(0.15, 0, 8, 512);
    const int deep = model.rows_within(0.15, 8000, 8, 512);
    CHECK(shallow > deep && deep >= 8);
    CHECK(machine_s(rows_at(shallow, 0)) < 0.2);
    CHECK(machine_s(rows_at(deep, 8000)) < 0.2);
}

void test_large_passes_do_not_tell_what_small_ones_pay_for_reading() {
    cost_model model;
    const auto dear_s = [](pass_size size) {
        return machine_s(size) + (size.n_rows < 64 ? 6e-7 * size.n_read : 0);
    };
    for (int depth = 0; depth < 4000; depth += 512) {
        model.observe(rows_at(512, depth), dear_s(rows_at(512, depth)));
    }
    for (int depth = 0; depth < 2000; depth += 24) {
        model.observe(rows_at(24, depth), dear_s(rows_at(24, depth)));
    }
    CHECK(near(model.seconds(rows_at(24, 3500)), dear_s(rows_at(24, 3500)), 0.2));
    CHECK(near(model.seconds(rows_at(16, 3500)), dear_s(rows_at(16, 3500)), 0.3));
    CHECK(near(model.seconds(rows_at(512, 3000)), dear_s(rows_at(512, 3000)), 0.2));
}

void test_nothing_observed_costs_nothing_and_one_outlier_little() {
    cost_model model;
    CHECK(model.seconds({512, 1e6}) == 0);
    CHECK(model.rows_within(0.001, 0, 8, 512) == 512);
    for (int i = 0; i < 50; ++i) {
        model.observe({8, 800}, 0.03);
    }
    model.observe({8, 800}, 3.0);
    CHECK(model.seconds({8, 800}) < 0.04);
    CHECK(model.strain() > 1);
}

void test_more_is_never_cheaper() {
    std::mt19937 random(3);
    for (int round = 0; round < 200; ++round) {
        cost_model model;
        for (int i = 0; i < 30; ++i) {
            const pass_size size{1 + static_cast<int>(random() % 600),
                                 static_cast<double>(random() % 100000)};
            model.observe(size, 1e-4 * static_cast<double>(1 + random() % 1000));
        }
        double last = 0;
        for (int n = 1; n < 600; n += 7) {
            const double now = model.seconds({n, 1000.0 * n});
            CHECK(now >= last && now <= model.seconds({n, 2000.0 * n}));
            last = now;
        }
    }
}

}  // namespace

int main() {
    test_it_learns_what_reading_costs_from_one_prompt();
    test_fewer_rows_fit_the_deeper_they_are();
    test_large_passes_do_not_tell_what_small_ones_pay_for_reading();
    test_nothing_observed_costs_nothing_and_one_outlier_little();
    test_more_is_never_cheaper();
    CHECK_DONE();
}
