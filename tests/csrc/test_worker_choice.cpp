// How many workers compute, on machines whose times are made up: no clock, no thread, no model.
#include "check.h"

#include "workers/free_cores.h"
#include "workers/worker_choice.h"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

namespace {

using namespace jan;

// Passes one after another, on a clock that only they move.
struct machine {
    int n_cores;
    int n_neighbours = 0;   // cores that others hold
    bool tells = true;      // how many cores are free
    double barriers_s = 1;  // lost at barriers by each pass with a worker whose core a neighbour holds
    double now_s = 0;
    int n_asked = 0;
    worker_choice choice;

    explicit machine(int n) : n_cores(n), choice(n, [this] { return free(); }) {}

    double free() {
        ++n_asked;
        return tells ? std::max(1, n_cores - n_neighbours) : -1;
    }

    // What a pass takes with so many workers.
    pass_watch took(int n_rows, int n_workers) const {
        pass_watch pass;
        const double work_s = 0.012 + 0.001 * n_rows;
        pass.wall_s = work_s / n_workers;
        if (n_workers > 1 && n_workers > n_cores - n_neighbours) {
            pass.off_core_s = barriers_s;
            pass.wall_s += barriers_s;
        }
        return pass;
    }

    int pass(int n_rows) {
        const int n = choice.choose(n_rows, now_s);
        const pass_watch seen = took(n_rows, n);
        now_s += seen.wall_s;
        choice.observe(seen, now_s);
        return n;
    }

    // Seconds of n passes.
    double passes(int n_rows, int n) {
        const double began_s = now_s;
        for (int i = 0; i < n; ++i) {
            pass(n_rows);
        }
        return now_s - began_s;
    }
};

void test_counts_go_from_all_to_one() {
    const auto none = [] { return -1.0; };
    CHECK(worker_choice(1, none).counts() == std::vector<int>({1}));
    CHECK(worker_choice(2, none).counts() == std::vector<int>({2, 1}));
    CHECK(worker_choice(4, none).counts() == std::vector<int>({4, 3, 2, 1}));
    CHECK(worker_choice(16, none).counts() == std::vector<int>({16, 15, 11, 8, 6, 4, 3, 2, 1}));
}

void test_a_quiet_machine_keeps_all_its_workers() {
    machine quiet(2);
    for (int i = 0; i < 1000; ++i) {
        CHECK(quiet.pass(1 + i % 40) == 2);
    }
    CHECK(quiet.n_asked == 0);
}

void test_one_pass_held_up_is_enough_to_try_fewer() {
    machine busy(2);
    busy.passes(1, 20);
    busy.n_neighbours = 2;
    CHECK(busy.pass(1) == 2);
    CHECK(busy.pass(1) == 1);
    CHECK(busy.passes(1, 1000) < 1.05 * 1000 * busy.took(1, 1).wall_s);
}

void test_neighbours_that_were_there_first_are_noticed() {
    machine busy(2);
    busy.n_neighbours = 2;
    CHECK(busy.pass(1) == 2);
    CHECK(busy.pass(1) == 1);
}

void test_nobody_knows_of_free_cores_and_it_costs_little_to_look() {
    machine busy(2);
    busy.tells = false;
    busy.n_neighbours = 2;
    const int n = 20000;
    CHECK(busy.passes(1, n) < 1.05 * n * busy.took(1, 1).wall_s);
    busy.n_neighbours = 0;
    busy.passes(1, 4 * n);  // a look is due once the last one's loss is small beside what passed
    CHECK(busy.pass(1) == 2);
}

void test_free_cores_are_taken_again_at_once() {
    machine left(2);
    left.n_neighbours = 2;
    left.passes(1, 2000);
    CHECK(left.pass(1) == 1);
    left.n_neighbours = 0;
    const double began_s = left.now_s;
    while (left.pass(1) == 1 && left.now_s < began_s + 60) {
    }
    CHECK(left.now_s - began_s < 2 * worker_choice::check_s);
    CHECK(left.passes(1, 1000) < 1.01 * 1000 * left.took(1, 2).wall_s);
}

void test_cores_that_only_seem_free_cost_a_bounded_share() {
    machine liar(2);
    liar.n_neighbours = 2;
    liar.passes(1, 10);
    const int n = 100000;
    double seen_s = 0;
    worker_choice choice(2, [] { return 2.0; });
    double now_s = 0;
    for (int i = 0; i < n; ++i) {
        const pass_watch took = liar.took(1, choice.choose(1, now_s));
        now_s += took.wall_s;
        seen_s += took.wall_s;
        choice.observe(took, now_s);
    }
    const double bound = 1 + worker_choice::share_if_free + worker_choice::share_for_more;
    CHECK(seen_s < bound * n * liar.took(1, 1).wall_s);
}

void test_a_neighbour_that_costs_less_than_a_worker_gives_is_borne() {
    machine shared(2);
    shared.n_neighbours = 1;
    shared.barriers_s = 0.002;  // of 0.0085 with two, 0.013 with one
    const int n = 10000;
    CHECK(shared.passes(1, n) < 1.03 * n * shared.took(1, 2).wall_s);
}

void test_long_passes_keep_their_workers_where_short_ones_give_them_up() {
    machine both(2);
    both.n_neighbours = 2;
    both.barriers_s = 0.1;  // much beside 0.013 s, little beside 0.5 s
    for (int i = 0; i < 200; ++i) {
        both.pass(1);
        both.pass(512);
    }
    int n_short = 0;
    int n_long = 0;
    for (int i = 0; i < 100; ++i) {
        n_short += both.pass(1);
        n_long += both.pass(512);
    }
    CHECK(n_short <= 105 && n_long >= 190);
}

void test_sizes_like_each_other_learn_from_each_other() {
    machine busy(2);
    busy.n_neighbours = 2;
    busy.passes(1, 50);
    CHECK(busy.pass(2) == 1 && busy.pass(5) == 1);
    CHECK(busy.pass(200) == 2);
}

void test_one_of_sixteen_cores_taken_costs_one_worker_and_not_half() {
    machine busy(16);
    busy.n_neighbours = 1;
    busy.barriers_s = 0.001;
    busy.passes(64, 3000);
    CHECK(busy.pass(64) == 15);
}

void test_idle_ticks_are_those_of_our_processors() {
    const std::string path = "worker_choice_stat.txt";
    std::ofstream(path) << "cpu  9 9 9 9 9 0 0 0\ncpu0 1 0 1 100 5 0 0 0\ncpu1 1 0 1 200 0 0 0 0\n"
                           "cpu2 1 0 1 400 0 0 0 0\nintr 12345 0\n";
    CHECK(idle_ticks(path, [](int cpu) { return cpu != 1; }) == 505);
    CHECK(idle_ticks(path, [](int) { return false; }) == -1);
    CHECK(idle_ticks("there is no such file", [](int) { return true; }) == -1);
    std::remove(path.c_str());
}

void test_the_thread_s_own_time_grows_with_its_work() {
    const double began_s = thread_on_core_s();
    if (began_s < 0) {
        return;
    }
    volatile double sum = 0;
    while (thread_on_core_s() == began_s) {
        sum = sum + 1;
    }
    CHECK(thread_on_core_s() > began_s);
}

}  // namespace

int main() {
    test_counts_go_from_all_to_one();
    test_a_quiet_machine_keeps_all_its_workers();
    test_one_pass_held_up_is_enough_to_try_fewer();
    test_neighbours_that_were_there_first_are_noticed();
    test_nobody_knows_of_free_cores_and_it_costs_little_to_look();
    test_free_cores_are_taken_again_at_once();
    test_cores_that_only_seem_free_cost_a_bounded_share();
    test_a_neighbour_that_costs_less_than_a_worker_gives_is_borne();
    test_long_passes_keep_their_workers_where_short_ones_give_them_up();
    test_sizes_like_each_other_learn_from_each_other();
    test_one_of_sixteen_cores_taken_costs_one_worker_and_not_half();
    test_idle_ticks_are_those_of_our_processors();
    test_the_thread_s_own_time_grows_with_its_work();
    CHECK_DONE();
}
