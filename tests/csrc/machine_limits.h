// What a machine allows, taken with loops that do nothing else: products of bytes, and reading memory.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstring>
#include <memory>
#include <thread>
#include <vector>

#if defined(__x86_64__) && defined(__GNUC__)
#    include <immintrin.h>
#endif

struct limits {
    double byte_gops = 0;  // 0 where the loop does not know the processor
    double read_gbs = 0;
};

template <class Work> double seconds_of_all(int n_threads, const Work & work) {
    const auto begin = std::chrono::steady_clock::now();
    std::vector<std::thread> others;
    for (int i = 1; i < n_threads; ++i) {
        others.emplace_back([&, i] { work(i); });
    }
    work(0);
    for (std::thread & other : others) {
        other.join();
    }
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

#if defined(__x86_64__) && defined(__GNUC__)
__attribute__((target("avx512f,avx512vnni"))) inline void multiply_bytes(int64_t n) {
    __m512i sums[16];
    for (__m512i & sum : sums) {
        sum = _mm512_setzero_si512();
    }
    const __m512i a = _mm512_set1_epi8(3), b = _mm512_set1_epi8(2);
    for (int64_t k = 0; k < n; ++k) {
#    pragma GCC unroll 16
        for (int i = 0; i < 16; ++i) {
            sums[i] = _mm512_dpbusd_epi32(sums[i], a, b);
        }
        __asm__ volatile("" ::"v"(sums[0]));
    }
    for (int i = 1; i < 16; ++i) {
        sums[0] = _mm512_add_epi32(sums[0], sums[i]);
    }
    __asm__ volatile("" ::"v"(sums[0]));
}
#endif

inline limits measure_limits(int n_threads) {
    limits found;
    for (int turn = 0; turn < 3; ++turn) {  // the best: others may use the machine meanwhile
#if defined(__x86_64__) && defined(__GNUC__)
        if (__builtin_cpu_supports("avx512vnni")) {
            constexpr int64_t n = 5'000'000;
            const double t = seconds_of_all(n_threads, [](int) { multiply_bytes(n); });
            found.byte_gops =
                std::max(found.byte_gops, 1e-9 * n_threads * static_cast<double>(n) * 16 * 128 / t);
        }
#endif
        constexpr size_t n_bytes = size_t{256} << 20;
        static std::vector<std::unique_ptr<uint64_t[]>> memory;
        while (memory.size() < static_cast<size_t>(n_threads)) {
            memory.emplace_back(new uint64_t[n_bytes / 8]);
            memset(memory.back().get(), 1, n_bytes);
        }
        const double t = seconds_of_all(n_threads, [&](int i) {
            uint64_t sums[16] = {};
            const uint64_t * p = memory[static_cast<size_t>(i)].get();
            for (size_t at = 0; at < n_bytes / 8; at += 16) {
                for (size_t lane = 0; lane < 16; ++lane) {
                    sums[lane] ^= p[at + lane];
                }
            }
            uint64_t all = 0;
            for (const uint64_t sum : sums) {
                all ^= sum;
            }
            volatile uint64_t kept = all;
            static_cast<void>(kept);
        });
        found.read_gbs = std::max(found.read_gbs, 1e-9 * n_threads * static_cast<double>(n_bytes) / t);
    }
    return found;
}
