// Sums of products on ARM, where both operands have a sign. Included by dot.h alone.
#pragma once

#include "lanes.h"

namespace jan::kernels {

constexpr bool weights_have_no_sign = false;

template <int n, int largest_weight>
inline ints dot(const ints * weights, const int8_t * activations, ints start) {
#pragma GCC unroll 2
    for (int i = 0; i < n; i += 4) {
        const int8x16_t four_times_four = vld1q_s8(activations + 4 * i);
        start = vdotq_laneq_s32(start, as_bytes(weights[i]), four_times_four, 0);
        start = vdotq_laneq_s32(start, as_bytes(weights[i + 1]), four_times_four, 1);
        start = vdotq_laneq_s32(start, as_bytes(weights[i + 2]), four_times_four, 2);
        start = vdotq_laneq_s32(start, as_bytes(weights[i + 3]), four_times_four, 3);
    }
    return start;
}

#ifdef __ARM_FEATURE_MATMUL_INT8
#    define JAN_DOT_OF_TWO 1
// An instruction that multiplies two rows of eight weights with two columns: twice the products. Neighbouring
// vectors become rows of eight, two and two.
inline void make_rows_of_eight(ints * weights) {
#    pragma GCC unroll 4
    for (int i = 0; i < 8; i += 2) {
        const ints first = weights[i];
        weights[i] = vzip1q_s32(first, weights[i + 1]);
        weights[i + 1] = vzip2q_s32(first, weights[i + 1]);
    }
}

struct two_sums {
    ints first, second;
};

template <int n> inline two_sums dot_of_two(const ints * rows_of_eight, const int8_t * first,
                                            const int8_t * second, int32_t first_start,
                                            int32_t second_start) {
    const int32x2_t starts = vset_lane_s32(second_start, vdup_n_s32(first_start), 1);
    ints upper = vcombine_s32(starts, starts);  // by row, and in each row by column
    ints lower = upper;
#    pragma GCC unroll 4
    for (int i = 0; i < n; i += 2) {
        const int8x16_t columns = vcombine_s8(vld1_s8(first + 4 * i), vld1_s8(second + 4 * i));
        upper = vmmlaq_s32(upper, as_bytes(rows_of_eight[i]), columns);
        lower = vmmlaq_s32(lower, as_bytes(rows_of_eight[i + 1]), columns);
    }
    return {vuzp1q_s32(upper, lower), vuzp2q_s32(upper, lower)};
}
#endif

}  // namespace jan::kernels
