// Sums of products on x86, where the instructions multiply unsigned with signed bytes. Included by dot.h
// alone.
#pragma once

#include "lanes.h"

namespace jan::kernels {

#if defined(JAN_MATRIX_AVX512) || defined(__AVXVNNI__)
constexpr bool weights_have_no_sign = true;

inline ints add_products(ints sum, ints weights, ints activations) {
#    ifdef JAN_MATRIX_AVX512
    return _mm512_dpbusd_epi32(sum, weights, activations);
#    else
    return _mm256_dpbusd_avx_epi32(sum, weights, activations);
#    endif
}

template <int n, int largest_weight>
inline ints dot(const ints * weights, const int8_t * activations, ints start) {
#    pragma GCC unroll 8
    for (int i = 0; i < n; ++i) {
        start = add_products(start, weights[i], every_lane(four_bytes(activations + 4 * i)));
    }
    return start;
}
#else
constexpr bool weights_have_no_sign = false;

// Without the instruction: products go into 16 bits by pairs, as many as are sure to fit, and on
// into 32. A weight that is signed comes as it is, largest_weight 128, and lends its sign to the activation.
template <int n, int largest_weight>
inline ints dot(const ints * weights, const int8_t * activations, ints start) {
    const ints ones = _mm256_set1_epi16(1);
    if constexpr (largest_weight == 128) {
#    pragma GCC unroll 8
        for (int i = 0; i < n; ++i) {
            const ints a = every_lane(four_bytes(activations + 4 * i));
            const ints pairs =
                _mm256_maddubs_epi16(_mm256_abs_epi8(weights[i]), _mm256_sign_epi8(a, weights[i]));
            start = _mm256_add_epi32(start, _mm256_madd_epi16(pairs, ones));
        }
        return start;
    } else {
        constexpr int at_once =
            32767 / (2 * 127 * largest_weight) < n ? 32767 / (2 * 127 * largest_weight) : n;
        static_assert(at_once > 0 && n % at_once == 0, "sums of 16 bits must hold a whole part");
#    pragma GCC unroll 8
        for (int i = 0; i < n; i += at_once) {
            ints pairs = _mm256_maddubs_epi16(weights[i], every_lane(four_bytes(activations + 4 * i)));
#    pragma GCC unroll 8
            for (int k = i + 1; k < i + at_once; ++k) {
                pairs = _mm256_add_epi16(
                    pairs, _mm256_maddubs_epi16(weights[k], every_lane(four_bytes(activations + 4 * k))));
            }
            start = _mm256_add_epi32(start, _mm256_madd_epi16(pairs, ones));
        }
        return start;
    }
}
#endif

}  // namespace jan::kernels
