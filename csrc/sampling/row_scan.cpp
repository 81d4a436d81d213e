#include "sampling/row_scan.h"

#include <algorithm>
#include <cmath>

namespace jan {

namespace {

constexpr float smallest_exponent = -87;

float max_scalar(const float * x, int n) {
    float best = -INFINITY;
    for (int i = 0; i < n; ++i) {
        best = x[i] > best ? x[i] : best;
    }
    return best;
}

void maxima_scalar(const float * x, int n, int block, float * to) {
    for (int from = 0; from < n; from += block) {
        *to++ = max_scalar(x + from, std::min(block, n - from));
    }
}

int above_scalar(const float * x, int n, float bound, int32_t * to) {
    int found = 0;
    for (int i = 0; i < n; ++i) {
        if (x[i] > bound) {
            to[found++] = i;
        }
    }
    return found;
}

double exponentials_scalar(const float * x, int n, float divisor, float top, float * p) {
    double sum = 0;
    for (int i = 0; i < n; ++i) {
        const float exponent = x[i] / divisor - top;
        p[i] = exponent >= smallest_exponent ? std::exp(exponent) : 0;
        sum += p[i];
    }
    return sum;
}

void divide_scalar(const float * x, int n, float divisor, float * to) {
    for (int i = 0; i < n; ++i) {
        to[i] = x[i] / divisor;
    }
}

const row_scan & choose() {
    for (const row_scan * scan : {avx512_row_scan(), avx2_row_scan(), neon_row_scan()}) {
        if (scan) {
            return *scan;
        }
    }
    return scalar_row_scan();
}

}  // namespace

const row_scan & scalar_row_scan() {
    static const row_scan scan = {"scalar",     max_scalar,          maxima_scalar,
                                  above_scalar, exponentials_scalar, divide_scalar};
    return scan;
}

const row_scan & fastest_row_scan() {
    static const row_scan & fastest = choose();
    return fastest;
}

token best_of_row(const float * x, int n) {
    constexpr int n_block = 4096;
    const row_scan & scan = fastest_row_scan();
    float best = -INFINITY;
    int from = 0;
    for (int block = 0; block < n; block += n_block) {
        const float here = scan.max(x + block, std::min(n_block, n - block));
        if (here > best) {
            best = here;
            from = block;
        }
    }
    const float * last = x + std::min(n, from + n_block);
    const float * found = std::find(x + from, last, best);
    return found == last ? 0 : static_cast<token>(found - x);
}

}  // namespace jan
