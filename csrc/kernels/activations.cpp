#include "activations.h"

#include "lanes.h"

#ifdef JAN_MATRIX_KERNELS

namespace jan::kernels {

namespace {

template <int n> float largest_magnitude(const float * from) {
    floats most = no_floats();
    for (int i = 0; i < n; i += n_lanes) {
        most = larger_magnitude(most, load_floats(from + i));
    }
    return largest(most);
}

// The sum of the bytes that it writes.
template <int n> int32_t to_bytes(const float * from, float factor, int8_t * to) {
    ints sum = no_ints();
    const floats factors = every_lane(factor);
    for (int i = 0; i < n; i += n_lanes) {
        const ints value = rounded(times(load_floats(from + i), factors));
        store_as_bytes(to + i, value);
        sum = plus(sum, value);
    }
    return total(sum);
}

// The upper half of single precision, to the nearest and of two as near to the even one.
uint16_t brain_float(float v) {
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    const bool is_number = (bits & 0x7fffffff) <= 0x7f800000;
    return static_cast<uint16_t>(is_number ? (bits + 0x7fff + (bits >> 16 & 1)) >> 16 : bits >> 16 | 64);
}

}  // namespace

void quantise(const float * from, int offset, short_activations & to) {
    const float most = largest_magnitude<step_weights>(from);
    // Upstream keeps these scales in half precision. With exactly its scales the results differ from
    // upstream's by the order of sums alone, and the next layer rounds nearly all of them the same way.
    to.scale = through_half(most / 127);
    const int32_t sum = to_bytes<step_weights>(from, most > 0 ? 127 / most : 0, to.values);
    to.start = -offset * sum;
    to.total = to.scale * static_cast<float>(sum);
    to.unused = 0;
}

void quantise(const float * from, int offset, int values_per_start, long_activations & to) {
    const float most = largest_magnitude<long_block>(from);
    const float factor = most > 0 ? 127 / most : 0;
    to.scale = most > 0 ? 1 / factor : 0;
    for (int s = 0; s < long_steps; ++s) {
        const int32_t first = to_bytes<16>(from + 32 * s, factor, to.values + 32 * s);
        const int32_t second = to_bytes<16>(from + 32 * s + 16, factor, to.values + 32 * s + 16);
        to.sums[s] = static_cast<int16_t>(first + second);
        if (values_per_start == 16) {
            to.start[2 * s] = -offset * first;
            to.start[2 * s + 1] = -offset * second;
        } else {
            to.start[s] = -offset * (first + second);
        }
    }
}

void copy(const float * from, plain_activations & to) { memcpy(to.values, from, sizeof to.values); }

void copy(const float * from, brain_activations & to) {
    for (int i = 0; i < step_weights; ++i) {
        to.values[i] = brain_float(from[i]);
    }
}

}  // namespace jan::kernels

#endif
