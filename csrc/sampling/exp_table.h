// The numbers glibc's expf works with, so that eight at a time come out as the library's one
// does: exp(x) = 2^(k/32) * 2^(r/32) with k whole and r a rest that a cubic is enough for,
// everything in double. (Arm's optimized routines, MIT; musl and Bionic have the same.)
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

namespace jan {

class exp_table_values {
  public:
    static constexpr int bits = 5;
    static constexpr int n = 1 << bits;
    static constexpr double scale = 0x1.71547652b82fep+0 * n;
    static constexpr double shift = 0x1.8p+52;  // added, it leaves a whole number in the low bits
    static constexpr double c0 = 0x1.c6af84b912394p-5 / n / n / n;
    static constexpr double c1 = 0x1.ebfce50fac4f3p-3 / n / n;
    static constexpr double c2 = 0x1.62e42ff0c52d6p-1 / n;
    static constexpr float smallest = -87;  // below, a result would no longer be a normal float

    // 2^(i/32), less what adding k to the exponent's bits adds too much.
    double entries[n];

    exp_table_values() {
        for (int i = 0; i < n; ++i) {
            const double power = std::exp2(i / static_cast<double>(n));
            uint64_t raw;
            std::memcpy(&raw, &power, sizeof raw);
            raw -= static_cast<uint64_t>(i) << (52 - bits);
            std::memcpy(&entries[i], &raw, sizeof raw);
        }
    }
};

inline const exp_table_values & exp_table() {
    static const exp_table_values table;
    return table;
}

}  // namespace jan
