// How weights lie in our buffers, and activations in the work buffer. The same for every instruction
// set: sixteen rows of a matrix are a group, and within it
//
//   a step    is 32 weights of each row. Its bytes go four to a lane, so that a vector of 64 bytes
//             holds four neighbours of all sixteen rows and one instruction multiplies them with four
//             activations; eight such vectors are a step. Weights of fewer bits share the bytes.
//   a block   is what shares the file's scales: one step, or the eight of a K-quant's 256 weights.
//
// Rows that are missing in the last group are zero.
#pragma once

#include <cstddef>
#include <cstdint>

namespace jan::kernels {

constexpr int group_rows = 16;
constexpr int step_weights = 32;
constexpr int long_block = 256;
constexpr int long_steps = long_block / step_weights;

// Bytes of a step's sixteen rows. Low four bits: of the first four vectors in the low halves of four,
// of the last four in the high halves.
constexpr size_t nibble_bytes = 4 * 64;
constexpr size_t bit_plane_bytes = 64;        // the fifth bit: vector i's is bit i
constexpr size_t two_bit_planes_bytes = 128;  // bits five and six: two planes, for four vectors each
constexpr size_t whole_bytes = 8 * 64;

// Weights of sixteen bits: position by position the sixteen rows' halves, or pair by pair of positions the
// sixteen rows' brain floats, two to a lane.
constexpr size_t sixteen_bits_bytes = step_weights * group_rows * 2;

// Blocks of 32: the scales of all blocks, then their quants, so that quants lie on cache lines, and what is
// asked of memory ahead of a group's end is what the next group begins with.
//   half scale[16]; half minimum[16] where the type has one
constexpr size_t short_quants_at(int64_t n_blocks, size_t scale_bytes) {
    return (static_cast<size_t>(n_blocks) * scale_bytes + 63) / 64 * 64;
}

// Blocks of 256 begin with
//   half scale[16]; half scale_of_minima[16] (or unused)
//   scales of eight times 32, or sixteen times 16, weights: uint8 or int8 [8 or 16][16]
//   minima by pairs, where the type has them: uint8 [4][16][2]
// and go on with the quants of eight steps.
constexpr size_t long_scales_at = 64;

// A column of activations in blocks, each with a scale of its own. `start` is where a sum of products
// begins so that the weights' offset is taken off: -offset times the sum of the activations.
struct short_activations {
    int8_t values[step_weights];
    float scale;
    int32_t start;
    float total;  // scale times the sum of the values, for minima
    int32_t unused;
};

struct long_activations {
    int8_t values[long_block];
    int32_t start[16];  // per 16 or, the first eight, per 32 values
    int16_t sums[8];    // of 32 values
    float scale;
    int32_t unused[3];
};

// For weights that are floating-point numbers themselves: as they are, or two and two in the upper halves
// of single precision (bfloat16), where the processor multiplies those.
struct plain_activations {
    float values[step_weights];
};

struct brain_activations {
    uint16_t values[step_weights];
};

static_assert(sizeof(short_activations) == 48 && sizeof(long_activations) == 352, "no padding");

}  // namespace jan::kernels
