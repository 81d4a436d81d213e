// The registers of AVX2: half the rows of a group. Included by lanes.h alone.
#pragma once

#include <cstdint>
#include <immintrin.h>

namespace jan::kernels {

constexpr int n_lanes = 8;
using ints = __m256i;
using floats = __m256;

inline ints load(const void * p) { return _mm256_loadu_si256(static_cast<const __m256i *>(p)); }
inline ints no_ints() { return _mm256_setzero_si256(); }
inline ints every_byte(int v) { return _mm256_set1_epi8(static_cast<char>(v)); }
inline ints every_lane(int32_t v) { return _mm256_set1_epi32(v); }
template <int n> inline ints shift_right(ints v) { return _mm256_srli_epi16(v, n); }
template <int n> inline ints shift_left(ints v) { return _mm256_slli_epi16(v, n); }
inline ints both(ints a, ints b) { return _mm256_and_si256(a, b); }
inline ints high_nibbles(ints v) { return both(shift_right<4>(v), every_byte(15)); }
inline ints differing(ints a, ints b) { return _mm256_xor_si256(a, b); }
inline ints joined(ints a, ints b, ints mask) { return _mm256_or_si256(a, _mm256_and_si256(b, mask)); }
inline ints looked_up(const uint8_t * table_of_16, ints index) {
    const __m128i table = _mm_loadu_si128(reinterpret_cast<const __m128i *>(table_of_16));
    return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(table), index);
}
inline ints load_byte_pairs(const uint8_t * p) {
    return _mm256_cvtepu8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i *>(p)));
}
inline ints add_pair_products(ints sum, ints a, ints b) {
    return _mm256_add_epi32(sum, _mm256_madd_epi16(a, b));
}

inline floats no_floats() { return _mm256_setzero_ps(); }
inline floats every_lane(float v) { return _mm256_set1_ps(v); }
inline floats to_floats(ints v) { return _mm256_cvtepi32_ps(v); }
inline floats load_halves(const void * p) {
    return _mm256_cvtph_ps(_mm_loadu_si128(static_cast<const __m128i *>(p)));
}
inline floats load_unsigned_bytes(const uint8_t * p) {
    return to_floats(_mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i *>(p))));
}
inline floats load_signed_bytes(const uint8_t * p) {
    return to_floats(_mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i *>(p))));
}
inline floats times(floats a, floats b) { return _mm256_mul_ps(a, b); }
inline floats plus_product(floats sum, floats a, floats b) { return _mm256_fmadd_ps(a, b, sum); }
inline floats minus_product(floats sum, floats a, floats b) { return _mm256_fnmadd_ps(a, b, sum); }
inline floats first_of_pair(ints v) { return _mm256_castsi256_ps(_mm256_slli_epi32(v, 16)); }
inline floats second_of_pair(ints v) {
    return _mm256_castsi256_ps(_mm256_and_si256(v, _mm256_set1_epi32(-65536)));
}
inline void store(float * p, floats v) { _mm256_storeu_ps(p, v); }
inline floats load_floats(const float * p) { return _mm256_loadu_ps(p); }
inline floats larger_magnitude(floats most, floats v) {
    return _mm256_max_ps(most, _mm256_andnot_ps(_mm256_set1_ps(-0.0f), v));
}
inline float largest(floats v) {
    __m128 m = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    m = _mm_max_ps(m, _mm_movehl_ps(m, m));
    return _mm_cvtss_f32(_mm_max_ss(m, _mm_movehdup_ps(m)));
}
inline int32_t total(ints v) {
    __m128i m = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    m = _mm_add_epi32(m, _mm_shuffle_epi32(m, 0x4e));
    return _mm_cvtsi128_si32(_mm_add_epi32(m, _mm_shuffle_epi32(m, 0xb1)));
}
inline ints rounded(floats v) { return _mm256_cvtps_epi32(v); }
inline ints plus(ints a, ints b) { return _mm256_add_epi32(a, b); }
inline void store_as_bytes(int8_t * p, ints v) {
    const __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    _mm_storel_epi64(reinterpret_cast<__m128i *>(p), _mm_packs_epi16(words, words));
}

}  // namespace jan::kernels
