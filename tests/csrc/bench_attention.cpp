// Our attention kernel and upstream's, in turns on the same cache.
//
//   bench_attention FOLDER_OF_BACKENDS [THREADS]
#include "attention_op.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>

namespace {

double seconds_of(attention::operation & op) {
    const auto begin = std::chrono::steady_clock::now();
    op.compute();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

double median(std::vector<double> times) {
    std::sort(times.begin(), times.end());
    return times[times.size() / 2];
}

void compare(const char * name, const attention::shape & s, int n_threads) {
    attention::numbers n(s, 1);
    std::fill(n.mask.begin(), n.mask.end(), ggml_fp32_to_fp16(0.0f));
    attention::operation ours(s, true, n_threads), theirs(s, false, n_threads);
    for (attention::operation * op : {&ours, &theirs}) {
        op->set(n);
        op->compute();
    }
    std::vector<double> our_times, their_times;
    double spent = 0;
    while (spent < 0.3 || our_times.size() < 5) {
        our_times.push_back(seconds_of(ours));
        their_times.push_back(seconds_of(theirs));
        spent += our_times.back() + their_times.back();
    }
    const double products = static_cast<double>(s.n_heads * s.n_rows * s.n_cells * s.n_streams) *
                            static_cast<double>(s.n_key + s.n_value);
    const double bytes = static_cast<double>(n.stored_keys.size() + n.stored_values.size());
    const double t = median(our_times);
    std::printf(
        "%-12s %-5s %3lld heads of %lld %4lld rows %5lld cells %3lld streams  %8.1f us  %6.1f GFLOPS  "
        "%5.1f GB/s  %6.2f times\n",
        name, ggml_type_name(s.type), static_cast<long long>(s.n_heads), static_cast<long long>(s.n_key),
        static_cast<long long>(s.n_rows), static_cast<long long>(s.n_cells),
        static_cast<long long>(s.n_streams), 1e6 * t, 2e-9 * products / t, 1e-9 * bytes / t,
        median(their_times) / t);
    std::fflush(stdout);
}

}  // namespace

int main(int argc, char ** argv) {
    if (argc < 2) {
        std::fprintf(stderr, "usage: %s FOLDER_OF_BACKENDS [THREADS]\n", argv[0]);
        return 2;
    }
    matrix::open_backends(argv[1]);
    if (!matrix::ours()) {
        std::printf("this processor's variant has no kernels of ours\n");
        return 0;
    }
    const int n_threads = argc > 2 ? std::atoi(argv[2]) : 2;
    struct family {
        const char * name;
        int64_t n, n_heads, n_cache_heads;
    };
    for (const family & f : {family{"Qwen2-0.5B", 64, 14, 2}, family{"Llama-1B", 64, 32, 8},
                             family{"Llama-8B", 128, 32, 8}, family{"nano", 32, 8, 8}}) {
        for (const int64_t n_rows : {1, 8, 32, 256}) {
            for (const int64_t n_cells : {256, 4096}) {
                attention::shape s;
                s.n_key = s.n_value = f.n;
                s.n_heads = f.n_heads;
                s.n_cache_heads = f.n_cache_heads;
                s.n_rows = n_rows;
                s.n_cells = n_cells;
                compare(f.name, s, n_threads);
                if (n_rows == 1) {
                    s.n_streams = 16;
                    compare(f.name, s, n_threads);
                    s.type = GGML_TYPE_Q8_0;
                    compare(f.name, s, n_threads);
                }
            }
        }
    }
    return 0;
}
