#include "machine_limits.h"

#include "backend.h"
#include "error.h"
#include "kernels/machine_loops.h"
#include "matrix_product.h"
#include "processors.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <memory>
#include <system_error>
#include <thread>
#include <vector>

namespace jan {

namespace {

constexpr int n_turns = 5;
constexpr int64_t n_rounds = 2'000'000;

template <class Work> double seconds_of_all(int n_threads, const Work & work) {
    const auto begin = std::chrono::steady_clock::now();
    std::vector<std::thread> others;
    others.reserve(static_cast<size_t>(n_threads));
    bool all_run = true;
    try {
        for (int i = 1; i < n_threads; ++i) {
            others.emplace_back([&, i] { work(i); });
        }
        work(0);
    } catch (const std::system_error &) {
        all_run = false;
    }
    for (std::thread & other : others) {
        other.join();
    }
    if (!all_run) {
        throw error(errc::out_of_memory, "there are no more threads to be had");
    }
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

// A thread's part of what is read: more in all than any cache holds.
size_t bytes_of_a_thread(int n_threads) {
    constexpr size_t of_all = size_t{512} << 20, at_least = size_t{32} << 20;
    return std::max(at_least, of_all / static_cast<size_t>(n_threads) / at_least * at_least);
}

}  // namespace

machine_limits measure_limits(int n_threads, const std::atomic<bool> & cancel) {
    require_backends();
    n_threads = checked_n_threads(n_threads);
    matrix::ours();  // has the variant asked for its buffer types, upon which it leaves its loops
    const jan_machine_loops * loops = jan_machine_loops_offered();
    if (!loops) {
        throw error(errc::unsupported_feature, "this CPU backend has no loops to measure with");
    }
    const size_t n_bytes = bytes_of_a_thread(n_threads);
    std::vector<std::unique_ptr<uint64_t[]>> memory;
    for (int i = 0; i < n_threads; ++i) {
        memory.emplace_back(new uint64_t[n_bytes / sizeof(uint64_t)]);
        memset(memory.back().get(), 1, n_bytes);
    }
    machine_limits found{n_threads, 0, 0, loops->instruction};
    std::atomic<uint64_t> kept{0};
    for (int turn = 0; turn < n_turns; ++turn) {
        if (cancel) {
            throw error(errc::cancelled, "measuring was cancelled");
        }
        if (loops->multiply) {
            const double seconds = seconds_of_all(n_threads, [&](int) { loops->multiply(n_rounds); });
            const double operations = static_cast<double>(n_rounds * loops->operations_per_round);
            found.byte_gops = std::max(found.byte_gops, 1e-9 * n_threads * operations / seconds);
        }
        for (const bool ask_ahead : {false, true}) {
            const double seconds = seconds_of_all(n_threads, [&](int i) {
                kept += loops->read(memory[static_cast<size_t>(i)].get(), n_bytes, ask_ahead);
            });
            const double bytes = static_cast<double>(n_bytes) * n_threads;
            found.read_gbs = std::max(found.read_gbs, 1e-9 * bytes / seconds);
        }
    }
    return found;
}

}  // namespace jan
