// What attention needs of vector registers beside lanes.h.
#pragma once

#include "lanes.h"

#if defined(JAN_MATRIX_AVX512) || defined(JAN_MATRIX_AVX2)
#    define JAN_ATTENTION_KERNEL 1

#    include "ggml.h"
#    include "vec.h"

namespace jan::kernels {

inline floats exponential(floats v) { return ggml_v_expf(v); }

#    ifdef JAN_MATRIX_AVX512

inline floats larger(floats a, floats b) { return _mm512_max_ps(a, b); }
inline floats difference(floats a, floats b) { return _mm512_sub_ps(a, b); }
inline floats sum(floats a, floats b) { return _mm512_add_ps(a, b); }
inline float total(floats v) { return _mm512_reduce_add_ps(v); }

// Rows become columns.
inline void transpose(floats (&v)[n_lanes]) {
    floats t[16];
#        pragma GCC unroll 8
    for (int i = 0; i < 16; i += 2) {
        t[i] = _mm512_unpacklo_ps(v[i], v[i + 1]);
        t[i + 1] = _mm512_unpackhi_ps(v[i], v[i + 1]);
    }
#        pragma GCC unroll 4
    for (int i = 0; i < 16; i += 4) {
        v[i] = _mm512_shuffle_ps(t[i], t[i + 2], 0x44);
        v[i + 1] = _mm512_shuffle_ps(t[i], t[i + 2], 0xee);
        v[i + 2] = _mm512_shuffle_ps(t[i + 1], t[i + 3], 0x44);
        v[i + 3] = _mm512_shuffle_ps(t[i + 1], t[i + 3], 0xee);
    }
#        pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
        t[i] = _mm512_shuffle_f32x4(v[i], v[i + 4], 0x88);
        t[i + 4] = _mm512_shuffle_f32x4(v[i], v[i + 4], 0xdd);
        t[i + 8] = _mm512_shuffle_f32x4(v[i + 8], v[i + 12], 0x88);
        t[i + 12] = _mm512_shuffle_f32x4(v[i + 8], v[i + 12], 0xdd);
    }
#        pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
        v[i] = _mm512_shuffle_f32x4(t[i], t[i + 8], 0x88);
        v[i + 8] = _mm512_shuffle_f32x4(t[i], t[i + 8], 0xdd);
        v[i + 4] = _mm512_shuffle_f32x4(t[i + 4], t[i + 12], 0x88);
        v[i + 12] = _mm512_shuffle_f32x4(t[i + 4], t[i + 12], 0xdd);
    }
}

#    else

inline floats larger(floats a, floats b) { return _mm256_max_ps(a, b); }
inline floats difference(floats a, floats b) { return _mm256_sub_ps(a, b); }
inline floats sum(floats a, floats b) { return _mm256_add_ps(a, b); }
inline float total(floats v) {
    __m128 m = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    m = _mm_add_ps(m, _mm_movehl_ps(m, m));
    return _mm_cvtss_f32(_mm_add_ss(m, _mm_movehdup_ps(m)));
}

inline void transpose(floats (&v)[n_lanes]) {
    floats t[8];
#        pragma GCC unroll 4
    for (int i = 0; i < 8; i += 2) {
        t[i] = _mm256_unpacklo_ps(v[i], v[i + 1]);
        t[i + 1] = _mm256_unpackhi_ps(v[i], v[i + 1]);
    }
#        pragma GCC unroll 2
    for (int i = 0; i < 8; i += 4) {
        v[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
        v[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xee);
        v[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
        v[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xee);
    }
#        pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
        t[i] = _mm256_permute2f128_ps(v[i], v[i + 4], 0x20);
        t[i + 4] = _mm256_permute2f128_ps(v[i], v[i + 4], 0x31);
    }
#        pragma GCC unroll 8
    for (int i = 0; i < 8; ++i) {
        v[i] = t[i];
    }
}

#    endif

}  // namespace jan::kernels

#endif
