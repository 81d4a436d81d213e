// The registers of AVX-512: all sixteen rows of a group. Included by lanes.h alone.
#pragma once

#include <cstdint>
#include <cstring>
#include <immintrin.h>

namespace jan::kernels {

constexpr int n_lanes = 16;
using ints = __m512i;
using floats = __m512;

inline ints load(const void * p) { return _mm512_loadu_si512(p); }
inline ints no_ints() { return _mm512_setzero_si512(); }
inline ints every_byte(int v) { return _mm512_set1_epi8(static_cast<char>(v)); }
inline ints every_lane(int32_t v) { return _mm512_set1_epi32(v); }
template <int n> inline ints shift_right(ints v) { return _mm512_srli_epi16(v, n); }
template <int n> inline ints shift_left(ints v) { return _mm512_slli_epi16(v, n); }
inline ints both(ints a, ints b) { return _mm512_and_si512(a, b); }
inline ints high_nibbles(ints v) { return both(shift_right<4>(v), every_byte(15)); }
inline ints differing(ints a, ints b) { return _mm512_xor_si512(a, b); }
// a | (b & mask)
inline ints joined(ints a, ints b, ints mask) { return _mm512_ternarylogic_epi32(a, b, mask, 0xf8); }
inline ints looked_up(const uint8_t * table_of_16, ints index) {
    const __m128i table = _mm_loadu_si128(reinterpret_cast<const __m128i *>(table_of_16));
    return _mm512_shuffle_epi8(_mm512_broadcast_i32x4(table), index);
}
// Sixteen-bit pairs from bytes.
inline ints load_byte_pairs(const uint8_t * p) {
    return _mm512_cvtepu8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i *>(p)));
}
inline ints add_pair_products(ints sum, ints a, ints b) { return _mm512_dpwssd_epi32(sum, a, b); }

inline floats no_floats() { return _mm512_setzero_ps(); }
inline floats every_lane(float v) { return _mm512_set1_ps(v); }
inline floats to_floats(ints v) { return _mm512_cvtepi32_ps(v); }
inline floats load_halves(const void * p) {
    return _mm512_cvtph_ps(_mm256_loadu_si256(static_cast<const __m256i *>(p)));
}
inline floats load_unsigned_bytes(const uint8_t * p) {
    return to_floats(_mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i *>(p))));
}
inline floats load_signed_bytes(const uint8_t * p) {
    return to_floats(_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i *>(p))));
}
inline floats times(floats a, floats b) { return _mm512_mul_ps(a, b); }
inline floats plus_product(floats sum, floats a, floats b) { return _mm512_fmadd_ps(a, b, sum); }
inline floats minus_product(floats sum, floats a, floats b) { return _mm512_fnmadd_ps(a, b, sum); }
// Of two brain floats in every lane, the upper halves of single precision.
inline floats first_of_pair(ints v) { return _mm512_castsi512_ps(_mm512_slli_epi32(v, 16)); }
inline floats second_of_pair(ints v) {
    return _mm512_castsi512_ps(_mm512_and_si512(v, _mm512_set1_epi32(-65536)));
}
#ifdef __AVX512BF16__
#    define JAN_BRAIN_PRODUCTS 1
inline floats plus_pair_products(floats sum, ints a, ints b) {
    __m512bh left, right;
    memcpy(&left, &a, sizeof left);
    memcpy(&right, &b, sizeof right);
    return _mm512_dpbf16_ps(sum, left, right);
}
#endif
inline void store(float * p, floats v) { _mm512_storeu_ps(p, v); }
inline floats load_floats(const float * p) { return _mm512_loadu_ps(p); }
inline floats larger_magnitude(floats most, floats v) { return _mm512_max_ps(most, _mm512_abs_ps(v)); }
inline float largest(floats v) { return _mm512_reduce_max_ps(v); }
inline int32_t total(ints v) { return _mm512_reduce_add_epi32(v); }
inline ints rounded(floats v) { return _mm512_cvtps_epi32(v); }
inline ints plus(ints a, ints b) { return _mm512_add_epi32(a, b); }
inline void store_as_bytes(int8_t * p, ints v) {
    _mm_storeu_si128(reinterpret_cast<__m128i *>(p), _mm512_cvtepi32_epi8(v));
}

}  // namespace jan::kernels
