// Products of a step's weights with the bytes of several columns, summed by fours into the lanes.
//
// dot<n, largest_weight>() is what every instruction set has: start + weights x activations, n * 4 of them
// per row.
#pragma once

#include "lanes.h"

#ifdef JAN_MATRIX_KERNELS

#    ifdef JAN_MATRIX_NEON
#        include "dot_neon.h"
#    else
#        include "dot_x86.h"
#    endif

namespace jan::kernels {

// A step's eight vectors, unpacked, into the order in which each_dot() of so many columns wants them.
template <int n_columns> inline void arrange([[maybe_unused]] ints * weights) {
#    ifdef JAN_DOT_OF_TWO
    if constexpr (n_columns > 1) {
        make_rows_of_eight(weights);
    }
#    endif
}

// take(c, part, start(c, part) + weights x values(c, part)) for every column and each of a step's parts.
template <int n_columns, int n_parts, int largest_weight, class Values, class Start, class Take>
inline void each_dot(const ints * weights, const Values & values, const Start & start, const Take & take) {
    constexpr int n_vectors = 8 / n_parts;
#    ifdef JAN_DOT_OF_TWO
    if constexpr (n_columns > 1) {
#        pragma GCC unroll 6
        for (int c = 0; c < n_columns; c += 2) {
            const int d = c + 1 < n_columns ? c + 1 : c;
            for (int part = 0; part < n_parts; ++part) {
                const two_sums sums = dot_of_two<n_vectors>(weights + part * n_vectors, values(c, part),
                                                            values(d, part), start(c, part), start(d, part));
                take(c, part, sums.first);
                if (d != c) {
                    take(d, part, sums.second);
                }
            }
        }
        return;
    }
#    endif
#    pragma GCC unroll 12
    for (int c = 0; c < n_columns; ++c) {
        for (int part = 0; part < n_parts; ++part) {
            take(c, part,
                 dot<n_vectors, largest_weight>(weights + part * n_vectors, values(c, part),
                                                every_lane(start(c, part))));
        }
    }
}

}  // namespace jan::kernels

#endif
