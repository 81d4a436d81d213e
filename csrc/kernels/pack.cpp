#include "pack.h"

#define GGML_COMMON_DECL_C  // members of anonymous structs by their names alone
#include "ggml-common.h"

#include <cstring>

namespace jan::kernels {

namespace {

// One long block of one row, its bits apart.
struct long_block_parts {
    uint8_t values[long_block];
    ggml_half scale, scale_of_minima;
    uint8_t scales[16];
    uint8_t minima[8];
};

// Eight scales and eight minima of six bits, in twelve bytes.
void apart_six_bits(const uint8_t * packed, long_block_parts & to) {
    for (int i = 0; i < 4; ++i) {
        to.scales[i] = packed[i] & 63;
        to.minima[i] = packed[i + 4] & 63;
        to.scales[i + 4] = static_cast<uint8_t>((packed[i + 8] & 15) | packed[i] >> 6 << 4);
        to.minima[i + 4] = static_cast<uint8_t>(packed[i + 8] >> 4 | packed[i + 4] >> 6 << 4);
    }
}

void apart(const block_q4_K & from, long_block_parts & to) {
    for (int pair = 0; pair < 4; ++pair) {
        for (int i = 0; i < 32; ++i) {
            to.values[64 * pair + i] = from.qs[32 * pair + i] & 15;
            to.values[64 * pair + 32 + i] = from.qs[32 * pair + i] >> 4;
        }
    }
    apart_six_bits(from.scales, to);
    to.scale = from.d;
    to.scale_of_minima = from.dmin;
}

void apart(const block_q5_K & from, long_block_parts & to) {
    for (int pair = 0; pair < 4; ++pair) {
        for (int i = 0; i < 32; ++i) {
            const int fifth = from.qh[i] >> (2 * pair);
            to.values[64 * pair + i] = static_cast<uint8_t>((from.qs[32 * pair + i] & 15) | (fifth & 1) << 4);
            to.values[64 * pair + 32 + i] =
                static_cast<uint8_t>(from.qs[32 * pair + i] >> 4 | (fifth >> 1 & 1) << 4);
        }
    }
    apart_six_bits(from.scales, to);
    to.scale = from.d;
    to.scale_of_minima = from.dmin;
}

void apart(const block_q6_K & from, long_block_parts & to) {
    for (int half = 0; half < 2; ++half) {
        const uint8_t * low = from.ql + 64 * half;
        const uint8_t * high = from.qh + 32 * half;
        uint8_t * values = to.values + 128 * half;
        for (int i = 0; i < 32; ++i) {
            values[i] = static_cast<uint8_t>((low[i] & 15) | (high[i] & 3) << 4);
            values[i + 32] = static_cast<uint8_t>((low[i + 32] & 15) | (high[i] >> 2 & 3) << 4);
            values[i + 64] = static_cast<uint8_t>(low[i] >> 4 | (high[i] >> 4 & 3) << 4);
            values[i + 96] = static_cast<uint8_t>(low[i + 32] >> 4 | (high[i] >> 6 & 3) << 4);
        }
    }
    memcpy(to.scales, from.scales, sizeof to.scales);
    to.scale = from.d;
}

void apart(const block_iq4_xs & from, long_block_parts & to) {
    for (int s = 0; s < long_steps; ++s) {
        for (int i = 0; i < 16; ++i) {
            to.values[32 * s + i] = from.qs[16 * s + i] & 15;
            to.values[32 * s + 16 + i] = from.qs[16 * s + i] >> 4;
        }
        const int low = from.scales_l[s / 2] >> (4 * (s % 2)) & 15;
        const int high = from.scales_h >> (2 * s) & 3;
        to.scales[s] = static_cast<uint8_t>((low | high << 4) - 32);
    }
    to.scale = from.d;
}

uint32_t word_at(const uint8_t * bytes) {
    uint32_t word;
    memcpy(&word, bytes, sizeof word);
    return word;
}

// The lane of a row, four bytes, in vector v of what begins at `vectors`.
void put(uint8_t * vectors, int v, int row, uint32_t word) {
    memcpy(vectors + 64 * v + 4 * row, &word, sizeof word);
}

// Short blocks have their nibbles as a step has them: value i beside value i + 16.
template <class Block> void put_block(const Block & from, int row, uint8_t * step) {
    for (int v = 0; v < 4; ++v) {
        put(step, v, row, word_at(from.qs + 4 * v));
    }
}

template <class Block> void put_block_of_five_bits(const Block & from, int row, uint8_t * step) {
    for (int v = 0; v < 4; ++v) {
        put(step, v, row, word_at(from.qs + 4 * v));
    }
    const uint32_t fifth = word_at(from.qh);
    uint32_t plane = 0;
    for (int v = 0; v < 8; ++v) {
        constexpr uint32_t a_bit_per_byte = 0x00204081;  // times four bits: the first of each byte
        plane |= ((fifth >> (4 * v) & 15) * a_bit_per_byte & 0x01010101) << v;
    }
    put(step + nibble_bytes, 0, row, plane);
}

template <> void put_block(const block_q5_0 & from, int row, uint8_t * step) {
    put_block_of_five_bits(from, row, step);
}

template <> void put_block(const block_q5_1 & from, int row, uint8_t * step) {
    put_block_of_five_bits(from, row, step);
}

template <> void put_block(const block_q8_0 & from, int row, uint8_t * step) {
    for (int v = 0; v < 8; ++v) {
        put(step, v, row, word_at(reinterpret_cast<const uint8_t *>(from.qs) + 4 * v));
    }
}

template <class Block> ggml_half minimum_of(const Block & from) { return from.m; }
template <> ggml_half minimum_of(const block_q4_0 &) { return 0; }
template <> ggml_half minimum_of(const block_q5_0 &) { return 0; }
template <> ggml_half minimum_of(const block_q8_0 &) { return 0; }
template <> ggml_half minimum_of(const block_iq4_nl &) { return 0; }

// A row's 32 values into its lanes of a step, as the bits they have; see quants.h.
void put_nibbles(const uint8_t * values, int row, uint8_t * step) {
    for (int v = 0; v < 4; ++v) {
        const uint32_t low = word_at(values + 4 * v) & 0x0f0f0f0f;
        const uint32_t high = word_at(values + 16 + 4 * v) & 0x0f0f0f0f;
        put(step, v, row, low | high << 4);
    }
}

struct as_four_bits {
    static constexpr size_t bytes = nibble_bytes;
    static void put_step(const uint8_t * values, int row, uint8_t * step) { put_nibbles(values, row, step); }
};

struct as_five_bits {
    static constexpr size_t bytes = nibble_bytes + bit_plane_bytes;
    static void put_step(const uint8_t * values, int row, uint8_t * step) {
        put_nibbles(values, row, step);
        uint32_t plane = 0;
        for (int v = 0; v < 8; ++v) {
            plane |= (word_at(values + 4 * v) >> 4 & 0x01010101) << v;
        }
        put(step + nibble_bytes, 0, row, plane);
    }
};

struct as_six_bits {
    static constexpr size_t bytes = nibble_bytes + two_bit_planes_bytes;
    static void put_step(const uint8_t * values, int row, uint8_t * step) {
        put_nibbles(values, row, step);
        for (int half = 0; half < 2; ++half) {
            uint32_t plane = 0;
            for (int v = 0; v < 4; ++v) {
                plane |= (word_at(values + 16 * half + 4 * v) >> 4 & 0x03030303) << (2 * v);
            }
            put(step + nibble_bytes, half, row, plane);
        }
    }
};

template <class Block, size_t step_bytes, bool has_minimum>
void pack_short(const uint8_t * const * rows, int64_t n_blocks, uint8_t * group) {
    constexpr size_t halves = has_minimum ? 2 * group_rows : group_rows;
    const Block zeros{};
    uint8_t * steps = group + short_quants_at(n_blocks, halves * sizeof(ggml_half));
    for (int64_t b = 0; b < n_blocks; ++b) {
        ggml_half of_block[halves];
        for (int row = 0; row < group_rows; ++row) {
            const Block & block = rows[row] ? reinterpret_cast<const Block *>(rows[row])[b] : zeros;
            put_block(block, row, steps + b * step_bytes);
            of_block[row] = block.d;
            if (has_minimum) {
                of_block[halves - group_rows + row] = minimum_of(block);
            }
        }
        memcpy(group + b * sizeof of_block, of_block, sizeof of_block);
    }
}

template <class Block, class Bits, int n_scales, bool has_minima>
void pack_long(const uint8_t * const * rows, int64_t n_blocks, uint8_t * group) {
    constexpr size_t minima_at = long_scales_at + n_scales * group_rows;
    constexpr size_t quants_at = minima_at + (has_minima ? 8 * group_rows : 0);
    for (int64_t b = 0; b < n_blocks; ++b) {
        uint8_t * at = group + b * (quants_at + long_steps * Bits::bytes);
        for (int row = 0; row < group_rows; ++row) {
            long_block_parts parts{};
            if (rows[row]) {
                Block block;
                memcpy(&block, rows[row] + b * sizeof block, sizeof block);
                apart(block, parts);
            }
            memcpy(at + 2 * row, &parts.scale, 2);
            memcpy(at + 32 + 2 * row, &parts.scale_of_minima, 2);
            for (int i = 0; i < n_scales; ++i) {
                at[long_scales_at + i * group_rows + row] = parts.scales[i];
            }
            for (int i = 0; has_minima && i < 4; ++i) {
                memcpy(at + minima_at + (i * group_rows + row) * 2, parts.minima + 2 * i, 2);
            }
            for (int s = 0; s < long_steps; ++s) {
                Bits::put_step(parts.values + s * step_weights, row, at + quants_at + s * Bits::bytes);
            }
        }
    }
}

// Numbers of sixteen bits, `n` neighbours of a row at a time.
template <int n> void pack_numbers(const uint8_t * const * rows, int64_t n_blocks, uint8_t * group) {
    constexpr size_t n_bytes = 2 * n;
    for (int64_t i = 0; i < n_blocks * step_weights / n; ++i) {
        for (int row = 0; row < group_rows; ++row, group += n_bytes) {
            if (rows[row]) {
                memcpy(group, rows[row] + i * n_bytes, n_bytes);
            } else {
                memset(group, 0, n_bytes);
            }
        }
    }
}

}  // namespace

void pack_q4_0(const uint8_t * const * rows, int64_t n_blocks, uint8_t * group) {
    pack_short<block_q4_0, nibble_bytes, false>(rows, n_blocks, group);
}
void pack_q4_1(const uint8_t * const * rows, int64_t n_blocks, uint8_t * group) {
    pack_short<block_q4_1, nibble_bytes, true>(rows, n_blocks, group);
}
void pack_q5_0(const uint8_t * const * rows, int64_t n_blocks, uint8_t * group) {
    pack_short<block_q5_0, nibble_bytes + bit_plane_bytes, false>(rows, n_blocks, group);
}
void pack_q5_1(const uint8_t * const * rows, int64_t n_blocks, uint8_t * group) {
    pack_short<block_q5_1, nibble_bytes + bit_plane_bytes, true>(rows, n_blocks, group);
}
void pack_q8_0(const uint8_t * const * rows, int64_t n_blocks, uint8_t * group) {
    pack_short<block_q8_0, whole_bytes, false>(rows, n_blocks, group);
}
void pack_iq4_nl(const uint8_t * const * rows, int64_t n_blocks, uint8_t * group) {
    pack_short<block_iq4_nl, nibble_bytes, false>(rows, n_blocks, group);
}
void pack_q4_k(const uint8_t * const * rows, int64_t n_blocks, uint8_t * group) {
    pack_long<block_q4_K, as_four_bits, 8, true>(rows, n_blocks, group);
}
void pack_q5_k(const uint8_t * const * rows, int64_t n_blocks, uint8_t * group) {
    pack_long<block_q5_K, as_five_bits, 8, true>(rows, n_blocks, group);
}
void pack_q6_k(const uint8_t * const * rows, int64_t n_blocks, uint8_t * group) {
    pack_long<block_q6_K, as_six_bits, 16, false>(rows, n_blocks, group);
}
void pack_iq4_xs(const uint8_t * const * rows, int64_t n_blocks, uint8_t * group) {
    pack_long<block_iq4_xs, as_four_bits, 8, false>(rows, n_blocks, group);
}
void pack_f16(const uint8_t * const * rows, int64_t n_blocks, uint8_t * group) {
    pack_numbers<1>(rows, n_blocks, group);
}
void pack_bf16(const uint8_t * const * rows, int64_t n_blocks, uint8_t * group) {
    pack_numbers<2>(rows, n_blocks, group);
}

}  // namespace jan::kernels
