// Our matrix kernels and upstream's, in turns on the same weights, against what the machine allows.
//
//   bench_kernels FOLDER_OF_BACKENDS [TYPE or all] [K ROWS] [THREADS]
#include "matrix_product.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "machine_limits.h"

namespace {

double seconds_of(matrix::product & p) {
    const auto begin = std::chrono::steady_clock::now();
    p.compute();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

double median(std::vector<double> times) {
    std::sort(times.begin(), times.end());
    return times[times.size() / 2];
}

void compare(const matrix::shape & s, const limits & allowed, int n_threads) {
    const auto blocks = matrix::quantised_weights(s.type, s.k, 64, 1);
    std::vector<uint8_t> all;  // the same rows again and again: quantising would take longer than measuring
    while (all.size() < blocks.size() / 64 * static_cast<size_t>(s.n_rows)) {
        all.insert(all.end(), blocks.begin(), blocks.end());
    }
    all.resize(blocks.size() / 64 * static_cast<size_t>(s.n_rows));
    const auto activations = matrix::normal_numbers(static_cast<size_t>(s.k * s.n_columns), 2);
    matrix::product ours(s, true, n_threads), theirs(s, false, n_threads);
    for (matrix::product * p : {&ours, &theirs}) {
        p->set_weights(all);
        p->set_activations(activations);
        p->compute();
    }
    std::vector<double> our_times, their_times;
    double spent = 0;
    while (spent < 0.2 || our_times.size() < 5) {
        our_times.push_back(seconds_of(ours));
        their_times.push_back(seconds_of(theirs));
        spent += our_times.back() + their_times.back();
    }
    const double t = median(our_times), their_t = median(their_times);
    const double gops = 2e-9 * static_cast<double>(s.k * s.n_rows * s.n_columns) / t;
    const double gbs = 1e-9 * static_cast<double>(ours.weight_bytes()) / t;
    std::printf("%-7s %5lld x %6lld %4lld  %7.0f %5.1f  %3.0f %% %3.0f %%  %7.0f  %5.2f  %s\n",
                ggml_type_name(s.type), static_cast<long long>(s.k), static_cast<long long>(s.n_rows),
                static_cast<long long>(s.n_columns), gops, gbs, 100 * gops / allowed.byte_gops,
                100 * gbs / allowed.read_gbs, gops * t / their_t, their_t / t, theirs.buffer_name().c_str());
    std::fflush(stdout);
}

}  // namespace

int main(int argc, char ** argv) {
    if (argc < 2) {
        std::fprintf(stderr, "usage: %s FOLDER_OF_BACKENDS [TYPE or all] [K ROWS] [THREADS]\n", argv[0]);
        return 2;
    }
    matrix::open_backends(argv[1]);
    if (!matrix::ours()) {
        std::printf("this processor's variant has no matrix kernels of ours\n");
        return 0;
    }
    const int n_threads = argc > 5 ? std::atoi(argv[5]) : 2;
    const limits allowed = measure_limits(n_threads);
    std::printf("%d threads may do %.0f GOPS in bytes and read %.1f GB/s\n", n_threads, allowed.byte_gops,
                allowed.read_gbs);
    std::printf("type        k x   rows cols     GOPS  GB/s   of limits  upstream's  times  its buffer\n");
    const std::string only = argc > 2 ? argv[2] : "all";
    for (const ggml_type type :
         {GGML_TYPE_Q4_K, GGML_TYPE_Q6_K, GGML_TYPE_Q5_K, GGML_TYPE_Q8_0, GGML_TYPE_Q4_0, GGML_TYPE_Q4_1,
          GGML_TYPE_Q5_0, GGML_TYPE_Q5_1, GGML_TYPE_IQ4_NL, GGML_TYPE_IQ4_XS}) {
        if (only != "all" && only != ggml_type_name(type)) {
            continue;
        }
        const int64_t k = argc > 4 ? std::atoll(argv[3]) : 2048;
        const int64_t n_rows = argc > 4 ? std::atoll(argv[4]) : 49152;
        for (const int64_t n : {1, 4, 8, 9, 12, 32, 256}) {
            compare({type, k, n > 64 ? std::max<int64_t>(512, n_rows / 8) : n_rows, n}, allowed, n_threads);
        }
    }
}
