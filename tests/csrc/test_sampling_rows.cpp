// Every instruction set sees in a row what the scalar version sees, and exponentials are the C
// library's to the last bit.
#include "check.h"
#include "sampling_reference.h"

#include "sampling/row_pool.h"
#include "sampling/row_scan.h"
#include "sampling/token_window.h"

#include <cstring>
#include <map>
#include <set>
#include <stdexcept>

#if defined(__linux__)
#    include <csignal>
#    include <pthread.h>
#    include <sys/resource.h>
#    include <sys/wait.h>
#    include <unistd.h>
#endif

namespace {

using namespace jan;

std::vector<const row_scan *> vector_scans() {
    std::vector<const row_scan *> there;
    for (const row_scan * scan : {avx2_row_scan(), avx512_row_scan(), neon_row_scan()}) {
        if (scan) {
            there.push_back(scan);
        }
    }
    return there;
}

bool same_bits(const std::vector<float> & a, const std::vector<float> & b) {
    return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

void test_every_instruction_set_agrees_with_the_scalar_one() {
    std::mt19937 random(3);
    const row_scan & scalar = scalar_row_scan();
    for (int round = 0; round < 2000; ++round) {
        const int n = static_cast<int>(random() % 700);
        auto row = reference::make_row(static_cast<reference::row_kind>(round % reference::n_row_kinds),
                                       std::max(1, n), random);
        row.resize(static_cast<size_t>(n));
        for (size_t i = 0; i < row.size() && round % 3 == 0; i += 1 + random() % 50) {
            const float odd[] = {NAN, INFINITY, -INFINITY, -0.0f, 1e30f, -NAN};
            row[i] = odd[random() % 6];
        }
        const float bound = row.empty() ? 0 : row[random() % row.size()];
        const int block = 64 * (1 + static_cast<int>(random() % 4));
        for (const row_scan * scan : vector_scans()) {
            CHECK(scan->max(row.data(), n) == scalar.max(row.data(), n));
            std::vector<float> a(row.size() / 64 + 1, 0.0f);
            std::vector<float> b = a;
            scan->maxima(row.data(), n, block, a.data());
            scalar.maxima(row.data(), n, block, b.data());
            CHECK(a == b);
            std::vector<int32_t> found(row.size() + 1);
            std::vector<int32_t> expected(row.size() + 1);
            found.resize(static_cast<size_t>(scan->above(row.data(), n, bound, found.data())));
            expected.resize(static_cast<size_t>(scalar.above(row.data(), n, bound, expected.data())));
            CHECK(found == expected);
            const float divisor = round % 2 ? 1.0f : 0.7f;
            const float top = scalar.max(row.data(), n) / divisor;
            a.assign(row.size(), -1);
            b = a;
            if (std::isfinite(top)) {
                const double sum = scan->exponentials(row.data(), n, divisor, top, a.data());
                const double expected_sum = scalar.exponentials(row.data(), n, divisor, top, b.data());
                CHECK(same_bits(a, b));
                CHECK(std::fabs(sum - expected_sum) <= 1e-12 * expected_sum);
            }
            if (round % 3 != 0) {
                scan->divide(row.data(), n, divisor, a.data());
                scalar.divide(row.data(), n, divisor, b.data());
                CHECK(same_bits(a, b));
            }
        }
        const token best = best_of_row(row.data(), n);
        CHECK(n == 0 || best == 0 || row[static_cast<size_t>(best)] == scalar.max(row.data(), n));
        for (token id = 0; id < best; ++id) {
            CHECK(!(row[static_cast<size_t>(id)] >= row[static_cast<size_t>(best)]));
        }
    }
}

// A part of all floats there are between exp's smallest argument here and 0; with `every` 1, all.
void test_exponentials_equal_the_c_library(uint32_t every) {
    std::vector<float> x;
    const auto flush = [&] {
        std::vector<float> p(x.size());
        for (const row_scan * scan : vector_scans()) {
            scan->exponentials(x.data(), static_cast<int>(x.size()), 1, 0, p.data());
            int n_different = 0;
            for (size_t i = 0; i < x.size(); ++i) {
                n_different += p[i] != std::exp(x[i]) ? 1 : 0;
            }
            CHECK(n_different == 0);
        }
        x.clear();
    };
    for (uint32_t bits = 0x80000000u; bits <= 0xC2AE0000u; bits += every) {  // -0 to -87
        float value;
        std::memcpy(&value, &bits, sizeof value);
        x.push_back(value);
        if (x.size() == 4096) {
            flush();
        }
    }
    flush();
}

void test_a_window_counts_what_it_holds() {
    std::mt19937 random(5);
    for (const int n_last : {0, 1, 2, 7, 64, 300}) {
        token_window window(n_last, 100000);
        std::vector<token> all;
        for (int i = 0; i < 3000; ++i) {
            const auto id = static_cast<token>(random() % (i % 500 < 250 ? 10 : 100000));
            window.add(id);
            all.push_back(id);
            std::map<token, int> counts;
            for (size_t k = all.size() - std::min(all.size(), static_cast<size_t>(n_last)); k < all.size();
                 ++k) {
                ++counts[all[k]];
            }
            CHECK(window.distinct().size() == counts.size());
            for (const token_window::occurrence & o : window.distinct()) {
                CHECK(counts[o.id] == o.count && window.count(o.id) == o.count);
            }
            CHECK(window.count(99999) == (counts.count(99999) ? counts[99999] : 0));
        }
    }
}

void test_every_row_is_done_once_whatever_the_threads() {
    for (const int n_threads : {1, 2, 3, 8}) {
        row_pool pool(n_threads);
        for (int round = 0; round < 300; ++round) {
            const int n_rows = round % 20;
            std::vector<std::atomic<int>> done(static_cast<size_t>(n_rows));
            pool.run(n_rows, [&](int row, int worker) {
                CHECK(worker >= 0 && worker < n_threads);
                ++done[static_cast<size_t>(row)];
            });
            for (const std::atomic<int> & n : done) {
                CHECK(n == 1);
            }
            if (round % 50 == 0) {
                std::this_thread::sleep_for(std::chrono::milliseconds(2));  // long enough to fall asleep
            }
        }
        bool thrown = false;
        try {
            pool.run(9, [](int row, int) {
                if (row == 8) {
                    throw std::runtime_error("row 8");
                }
            });
        } catch (const std::runtime_error &) {
            thrown = true;
        }
        CHECK(thrown);
        int n = 0;
        pool.run(1, [&](int, int) { ++n; });
        CHECK(n == 1);
    }
}

#if defined(__linux__)
std::atomic<bool> held{false};
std::atomic<bool> let_go{false};

void hold(int) {
    held = true;
    while (!let_go) {
        usleep(1000);
    }
}
#endif

// A thread is kept from running by a signal whose handler does not return.
void test_nobody_waits_for_a_thread_without_a_share() {
#if defined(__linux__) && !defined(__SANITIZE_THREAD__)  // which delivers signals late
    row_pool pool(3);
    std::atomic<pthread_t> last{};
    pool.run(3, [&last](int row, int) {
        if (row == 2) {
            last = pthread_self();
        }
    });
    signal(SIGUSR1, hold);
    pthread_kill(last, SIGUSR1);
    while (!held) {
        usleep(100);
    }
    std::atomic<bool> back{false};
    std::thread watch([&back] {
        for (int i = 0; i < 5000 && !back; ++i) {
            usleep(1000);
        }
        CHECK(back);
        let_go = true;
    });
    pool.run(2, [](int, int) {});
    back = true;
    watch.join();
    std::atomic<int> n_done{0};
    pool.run(3, [&n_done](int, int) { ++n_done; });
    CHECK(n_done == 3);
#endif
}

// Threads need address space for their stacks; a sanitizer needs all of it for itself.
void test_a_pool_goes_on_with_the_threads_it_gets() {
#if defined(__linux__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    const pid_t child = fork();
    if (child == 0) {
        const rlimit room = {1ul << 30, 1ul << 30};
        setrlimit(RLIMIT_AS, &room);
        row_pool pool(10000);
        std::atomic<int> n_done{0};
        pool.run(20000, [&](int, int) { ++n_done; });
        _exit(pool.n_threads() < 10000 && n_done == 20000 ? 0 : 1);
    }
    int status = -1;
    waitpid(child, &status, 0);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
#endif
}

}  // namespace

int main(int argc, char **) {
    test_every_instruction_set_agrees_with_the_scalar_one();
    test_exponentials_equal_the_c_library(argc > 1 ? 1 : 1009);
    test_a_window_counts_what_it_holds();
    test_every_row_is_done_once_whatever_the_threads();
    test_nobody_waits_for_a_thread_without_a_share();
    test_a_pool_goes_on_with_the_threads_it_gets();
    CHECK_DONE();
}
