// What a machine allows: products of bytes, and reading memory. Taken with loops that do nothing else, in the
// instructions of the CPU backend that was loaded.
#pragma once

#include <atomic>
#include <string>

namespace jan {

struct machine_limits {
    int n_threads;            // by which these were reached together
    double byte_gops;         // 10^9 operations on bytes in a second; 0 where our kernels have no loop
    double read_gbs;          // 10^9 bytes in a second, from memory
    std::string instruction;  // that the products were made with
};

// By n_threads at once, 0 for the usual number, which takes about a second, and half a gigabyte meanwhile.
// The best of several turns: others may have the machine in some. Throws invalid_argument, cancelled,
// out_of_memory.
machine_limits measure_limits(int n_threads, const std::atomic<bool> & cancel);

}  // namespace jan
