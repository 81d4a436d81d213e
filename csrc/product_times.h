// How long a product of quantised weights and activations takes our matrix kernels, and upstream's.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

namespace jan {

struct timed_product {
    std::string type = "q4_K";
    int64_t width = 2048;  // weights of a row
    int64_t n_rows = 49152;
    int64_t n_columns = 1;  // of activations
    int n_threads = 1;
    int n_repeats = 5;  // at least; of fast ones as many as take two tenths of a second
};

struct product_times {
    std::vector<int64_t> ours_ns;  // in turns with upstream's; empty for what we have no kernel for
    std::vector<int64_t> upstreams_ns;
    uint64_t our_bytes = 0;  // of the weights as each has them
    uint64_t upstreams_bytes = 0;
    std::string upstreams_buffer;  // what upstream's loader puts such weights into: "CPU_REPACK"
};

// Throws invalid_argument, out_of_memory and cancelled.
product_times time_product(const timed_product & asked, const std::atomic<bool> & cancel);

}  // namespace jan
