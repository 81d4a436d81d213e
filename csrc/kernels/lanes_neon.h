// The registers of NEON: a quarter of a group's rows. Included by lanes.h alone.
#pragma once

#include <arm_neon.h>
#include <cstdint>
#include <cstring>

namespace jan::kernels {

constexpr int n_lanes = 4;
using ints = int32x4_t;
using floats = float32x4_t;

inline int8x16_t as_bytes(ints v) { return vreinterpretq_s8_s32(v); }
inline uint8x16_t as_unsigned_bytes(ints v) { return vreinterpretq_u8_s32(v); }
inline ints from_bytes(uint8x16_t v) { return vreinterpretq_s32_u8(v); }

inline ints load(const void * p) { return from_bytes(vld1q_u8(static_cast<const uint8_t *>(p))); }
inline ints no_ints() { return vdupq_n_s32(0); }
inline ints every_byte(int v) { return from_bytes(vdupq_n_u8(static_cast<uint8_t>(v))); }
inline ints every_lane(int32_t v) { return vdupq_n_s32(v); }
template <int n> inline ints shift_right(ints v) { return from_bytes(vshrq_n_u8(as_unsigned_bytes(v), n)); }
template <int n> inline ints shift_left(ints v) { return from_bytes(vshlq_n_u8(as_unsigned_bytes(v), n)); }
inline ints both(ints a, ints b) { return vandq_s32(a, b); }
inline ints high_nibbles(ints v) { return shift_right<4>(v); }
inline ints differing(ints a, ints b) { return veorq_s32(a, b); }
inline ints joined(ints a, ints b, ints mask) { return vorrq_s32(a, vandq_s32(b, mask)); }
inline ints looked_up(const uint8_t * table_of_16, ints index) {
    return from_bytes(vqtbl1q_u8(vld1q_u8(table_of_16), as_unsigned_bytes(index)));
}
inline ints load_byte_pairs(const uint8_t * p) { return vreinterpretq_s32_u16(vmovl_u8(vld1_u8(p))); }
inline ints add_pair_products(ints sum, ints a, ints b) {
    const int16x8_t left = vreinterpretq_s16_s32(a);
    const int16x8_t right = vreinterpretq_s16_s32(b);
    const int32x4_t first = vmull_s16(vget_low_s16(left), vget_low_s16(right));
    return vaddq_s32(sum, vpaddq_s32(first, vmull_high_s16(left, right)));
}

inline floats no_floats() { return vdupq_n_f32(0); }
inline floats every_lane(float v) { return vdupq_n_f32(v); }
inline floats to_floats(ints v) { return vcvtq_f32_s32(v); }
inline floats load_halves(const void * p) {
    return vcvt_f32_f16(vreinterpret_f16_u8(vld1_u8(static_cast<const uint8_t *>(p))));
}
inline uint8x8_t load_lane_bytes(const void * p) {
    uint32_t four;
    memcpy(&four, p, sizeof four);
    return vreinterpret_u8_u32(vdup_n_u32(four));
}
inline floats load_unsigned_bytes(const uint8_t * p) {
    return vcvtq_f32_u32(vmovl_u16(vget_low_u16(vmovl_u8(load_lane_bytes(p)))));
}
inline floats load_signed_bytes(const uint8_t * p) {
    return to_floats(vmovl_s16(vget_low_s16(vmovl_s8(vreinterpret_s8_u8(load_lane_bytes(p))))));
}
inline floats times(floats a, floats b) { return vmulq_f32(a, b); }
inline floats plus_product(floats sum, floats a, floats b) { return vfmaq_f32(sum, a, b); }
inline floats minus_product(floats sum, floats a, floats b) { return vfmsq_f32(sum, a, b); }
inline floats first_of_pair(ints v) { return vreinterpretq_f32_s32(vshlq_n_s32(v, 16)); }
inline floats second_of_pair(ints v) { return vreinterpretq_f32_s32(vandq_s32(v, vdupq_n_s32(-65536))); }
inline void store(float * p, floats v) { vst1q_f32(p, v); }
inline floats load_floats(const float * p) { return vld1q_f32(p); }
inline floats larger_magnitude(floats most, floats v) { return vmaxq_f32(most, vabsq_f32(v)); }
inline float largest(floats v) { return vmaxvq_f32(v); }
inline int32_t total(ints v) { return vaddvq_s32(v); }
inline ints rounded(floats v) { return vcvtnq_s32_f32(v); }
inline ints plus(ints a, ints b) { return vaddq_s32(a, b); }
inline void store_as_bytes(int8_t * p, ints v) {
    const int16x4_t words = vqmovn_s32(v);
    const int8x8_t bytes = vqmovn_s16(vcombine_s16(words, words));
    const int32_t four = vget_lane_s32(vreinterpret_s32_s8(bytes), 0);
    memcpy(p, &four, sizeof four);
}

}  // namespace jan::kernels
