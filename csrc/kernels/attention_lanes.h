// What attention needs of vector registers beside lanes.h.
#pragma once

#include "lanes.h"

#ifdef JAN_MATRIX_KERNELS
#    define JAN_ATTENTION_KERNEL 1

#    include "ggml.h"
#    include "vec.h"

namespace jan::kernels {

#    ifdef JAN_MATRIX_AVX512

inline floats exponential(floats v) { return ggml_v_expf(v); }
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

#    elif defined(JAN_MATRIX_AVX2)

inline floats exponential(floats v) { return ggml_v_expf(v); }
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

#    else

inline floats larger(floats a, floats b) { return vmaxq_f32(a, b); }
inline floats difference(floats a, floats b) { return vsubq_f32(a, b); }
inline floats sum(floats a, floats b) { return vaddq_f32(a, b); }
inline float total(floats v) { return vaddvq_f32(v); }

// Of numbers that are not positive, as differences to the largest are. Upstream has one for NEON only
// where there is no SVE.
inline floats exponential(floats v) {
    const floats whole = vrndnq_f32(vmulq_n_f32(v, 1.44269504f));  // powers of two
    floats rest = vfmsq_f32(v, whole, vdupq_n_f32(0.693359375f));
    rest = vfmaq_f32(rest, whole, vdupq_n_f32(2.12194440e-4f));
    constexpr float one_by_factorial[] = {1.0f / 720, 1.0f / 120, 1.0f / 24, 1.0f / 6, 0.5f, 1, 1};
    floats series = vdupq_n_f32(1.0f / 5040);
    for (const float factor : one_by_factorial) {
        series = vfmaq_f32(vdupq_n_f32(factor), series, rest);
    }
    const uint32x4_t is_normal = vcgeq_f32(whole, vdupq_n_f32(-126));
    const int32x4_t exponent = vshlq_n_s32(vaddq_s32(vcvtq_s32_f32(whole), vdupq_n_s32(127)), 23);
    const floats power = vmulq_f32(series, vreinterpretq_f32_s32(exponent));
    return vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_f32(power), is_normal));  // or else zero
}

inline void transpose(floats (&v)[n_lanes]) {
    const floats a = vtrn1q_f32(v[0], v[1]), b = vtrn2q_f32(v[0], v[1]);
    const floats c = vtrn1q_f32(v[2], v[3]), d = vtrn2q_f32(v[2], v[3]);
    v[0] = vcombine_f32(vget_low_f32(a), vget_low_f32(c));
    v[1] = vcombine_f32(vget_low_f32(b), vget_low_f32(d));
    v[2] = vcombine_f32(vget_high_f32(a), vget_high_f32(c));
    v[3] = vcombine_f32(vget_high_f32(b), vget_high_f32(d));
}

#    endif

}  // namespace jan::kernels

#endif
