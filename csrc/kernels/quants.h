// A step's weights from their packed bits into eight vectors of bytes.
#pragma once

#include "dot.h"
#include "layout.h"

#ifdef JAN_MATRIX_KERNELS

namespace jan::kernels {

// Every struct has: the packed size, the largest weight, what to take off each weight, and
// unpack(), which is given where the lanes' first vector begins.

template <int weight_offset> struct four_bits {
    static constexpr size_t bytes = nibble_bytes;
    static constexpr int largest = 15;
    static constexpr int offset = weight_offset;

    static void unpack(const uint8_t * from, ints * to) {
        const ints low = every_byte(15);
#    pragma GCC unroll 4
        for (int v = 0; v < 4; ++v) {
            const ints pair = load(from + 64 * v);
            to[v] = both(pair, low);
            to[v + 4] = high_nibbles(pair);
        }
    }
};

template <int weight_offset> struct five_bits {
    static constexpr size_t bytes = nibble_bytes + bit_plane_bytes;
    static constexpr int largest = 31;
    static constexpr int offset = weight_offset;

    static void unpack(const uint8_t * from, ints * to) {
        four_bits<0>::unpack(from, to);
        const ints fifth = every_byte(16);
        const ints plane = load(from + nibble_bytes);
        to[0] = joined(to[0], shift_left<4>(plane), fifth);
        to[1] = joined(to[1], shift_left<3>(plane), fifth);
        to[2] = joined(to[2], shift_left<2>(plane), fifth);
        to[3] = joined(to[3], shift_left<1>(plane), fifth);
        to[4] = joined(to[4], plane, fifth);
        to[5] = joined(to[5], shift_right<1>(plane), fifth);
        to[6] = joined(to[6], shift_right<2>(plane), fifth);
        to[7] = joined(to[7], shift_right<3>(plane), fifth);
    }
};

template <int weight_offset> struct six_bits {
    static constexpr size_t bytes = nibble_bytes + two_bit_planes_bytes;
    static constexpr int largest = 63;
    static constexpr int offset = weight_offset;

    static void unpack(const uint8_t * from, ints * to) {
        four_bits<0>::unpack(from, to);
        const ints upper = every_byte(48);
#    pragma GCC unroll 2
        for (int half = 0; half < 2; ++half) {
            const ints plane = load(from + nibble_bytes + 64 * half);
            ints * four = to + 4 * half;
            four[0] = joined(four[0], shift_left<4>(plane), upper);
            four[1] = joined(four[1], shift_left<2>(plane), upper);
            four[2] = joined(four[2], plane, upper);
            four[3] = joined(four[3], shift_right<2>(plane), upper);
        }
    }
};

// Signed weights. Where the dot instruction takes no sign they are 128 too large, elsewhere as they are.
inline ints for_dot(ints weights) {
    return weights_have_no_sign ? differing(weights, every_byte(-128)) : weights;
}
constexpr int largest_signed = weights_have_no_sign ? 255 : 128;
constexpr int offset_of_signed = weights_have_no_sign ? 128 : 0;

struct eight_bits {
    static constexpr size_t bytes = whole_bytes;
    static constexpr int largest = largest_signed;
    static constexpr int offset = offset_of_signed;

    static void unpack(const uint8_t * from, ints * to) {
#    pragma GCC unroll 8
        for (int v = 0; v < 8; ++v) {
            to[v] = for_dot(load(from + 64 * v));
        }
    }
};

// Four bits that name one of sixteen values, spaced for weights that are normally distributed: -127, -104,
// -83 and so on to 113, here as for_dot() would give them.
constexpr uint8_t nonlinear(int value) { return static_cast<uint8_t>(value + offset_of_signed); }
constexpr uint8_t nonlinear_values[16] = {nonlinear(-127), nonlinear(-104), nonlinear(-83), nonlinear(-65),
                                          nonlinear(-49),  nonlinear(-35),  nonlinear(-22), nonlinear(-10),
                                          nonlinear(1),    nonlinear(13),   nonlinear(25),  nonlinear(38),
                                          nonlinear(53),   nonlinear(69),   nonlinear(89),  nonlinear(113)};

struct four_bits_nonlinear {
    static constexpr size_t bytes = nibble_bytes;
    static constexpr int largest = largest_signed;
    static constexpr int offset = offset_of_signed;

    static void unpack(const uint8_t * from, ints * to) {
        four_bits<0>::unpack(from, to);
#    pragma GCC unroll 8
        for (int v = 0; v < 8; ++v) {
            to[v] = looked_up(nonlinear_values, to[v]);
        }
    }
};

}  // namespace jan::kernels

#endif
