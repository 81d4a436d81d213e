// What touches every logit of a row, in the widest instructions the processor has. The scalar
// version says what the others must return, bit for bit. Not-a-number counts as -infinity.
#pragma once

#include "token.h"

#include <cstdint>

namespace jan {

struct row_scan {
    const char * instructions;

    // The largest of n values; -infinity when there are none.
    float (*max)(const float * x, int n);

    // The largest of each `block` values in turn, the last block may be shorter. `block` is a
    // multiple of 64.
    void (*maxima)(const float * x, int n, int block, float * to);

    // Writes the indices of all values above `bound` to `to` (room for n), ascending; how many.
    int (*above)(const float * x, int n, float bound, int32_t * to);

    // p[i] = exp(x[i] / divisor - top), as the C library rounds it; values below exp(-87) become
    // 0. Their sum; in which order it is added up is up to the version.
    double (*exponentials)(const float * x, int n, float divisor, float top, float * p);

    // to[i] = x[i] / divisor
    void (*divide)(const float * x, int n, float divisor, float * to);
};

const row_scan & scalar_row_scan();

// Null where the processor or the compiler lacks the instructions.
const row_scan * avx2_row_scan();
const row_scan * avx512_row_scan();
const row_scan * neon_row_scan();

// The best there is here; always the same one.
const row_scan & fastest_row_scan();

// Of the largest values the first one's index; 0 when no value is above -infinity.
token best_of_row(const float * x, int n);

}  // namespace jan
