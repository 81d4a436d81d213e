// The inner loops: one group of sixteen rows times one panel, a few columns that are computed together.
// A step's weights are unpacked once and then used by every column of the panel.
#pragma once

#include "quants.h"

#ifdef JAN_MATRIX_KERNELS

namespace jan::kernels {

// Columns of a panel at most: as many as have their sums in registers beside a step's weights.
#    ifdef JAN_MATRIX_AVX2
constexpr int widest_panel = 6;
#    else
constexpr int widest_panel = 12;
#    endif

// Weights come from memory faster than the processor's own prefetching has them.
constexpr size_t ahead = 4736;

template <size_t n_bytes> inline void prefetch(const uint8_t * from) {
#    pragma GCC unroll 16
    for (size_t at = 0; at < n_bytes; at += 64) {
        prefetch_line(from + ahead + at);
    }
}

// Blocks of 32 weights with one scale.
template <class Quants, bool with_minimum> struct short_format {
    using quants = Quants;
    using activations = short_activations;
    static constexpr int block = step_weights;
    static constexpr int values_per_start = step_weights;
    static constexpr bool has_minimum = with_minimum;
    static constexpr size_t scale_bytes = has_minimum ? 64 : 32;

    static constexpr size_t group_bytes(int64_t n_blocks) {
        return short_quants_at(n_blocks, scale_bytes) + static_cast<size_t>(n_blocks) * quants::bytes;
    }

    // tile[column][row] = rows of the group x columns of the panel. activations[block][column].
    template <int n>
    static void multiply(const uint8_t * group, const void * panel, int64_t n_blocks, float * tile) {
        for (int first_row = 0; first_row < group_rows; first_row += n_lanes) {
            floats sum[n];
            for (int c = 0; c < n; ++c) {
                sum[c] = no_floats();
            }
            const auto * column = static_cast<const activations *>(panel);
            const uint8_t * scales = group + 2 * first_row;
            const uint8_t * step = group + short_quants_at(n_blocks, scale_bytes) + 4 * first_row;
            for (int64_t b = 0; b < n_blocks; ++b) {
                ints weights[8];
                quants::unpack(step, weights);
                arrange<n>(weights);
                prefetch<quants::bytes>(step);
                prefetch_line(scales + ahead / 8);
                const floats scale = load_halves(scales);
                each_dot<n, 1, quants::largest>(
                    weights, [&](int c, int) { return column[c].values; },
                    [&](int c, int) { return quants::offset ? column[c].start : 0; },
                    [&](int c, int, ints products) {
                        const floats scaled = times(to_floats(products), scale);
                        sum[c] = plus_product(sum[c], scaled, every_lane(column[c].scale));
                    });
                if (has_minimum) {
                    const floats minimum = load_halves(scales + 32);
#    pragma GCC unroll 12
                    for (int c = 0; c < n; ++c) {
                        sum[c] = plus_product(sum[c], minimum, every_lane(column[c].total));
                    }
                }
                step += quants::bytes;
                scales += scale_bytes;
                column += n;
            }
            for (int c = 0; c < n; ++c) {
                store(tile + c * group_rows + first_row, sum[c]);
            }
        }
    }
};

// Blocks of 256 weights, whose parts of 32, or of 16, have small integer scales of their own.
template <class Quants, int scales_per_step, bool with_minima, bool signed_scales> struct long_format {
    using quants = Quants;
    using activations = long_activations;
    static constexpr int block = long_block;
    static constexpr int values_per_start = step_weights / scales_per_step;
    static constexpr bool has_minima = with_minima;
    static constexpr int n_scales = long_steps * scales_per_step;
    static constexpr size_t minima_at = long_scales_at + n_scales * group_rows;
    static constexpr size_t quants_at = minima_at + (has_minima ? 4 * 2 * group_rows : 0);
    static constexpr size_t block_bytes = quants_at + long_steps * quants::bytes;

    static constexpr size_t group_bytes(int64_t n_blocks) {
        return static_cast<size_t>(n_blocks) * block_bytes;
    }

    static floats scales_of(const uint8_t * bytes) {
        return signed_scales ? load_signed_bytes(bytes) : load_unsigned_bytes(bytes);
    }

    template <int n>
    static void multiply(const uint8_t * group, const void * panel, int64_t n_blocks, float * tile) {
        for (int first_row = 0; first_row < group_rows; first_row += n_lanes) {
            floats sum[n];
            for (int c = 0; c < n; ++c) {
                sum[c] = no_floats();
            }
            const auto * column = static_cast<const activations *>(panel);
            const uint8_t * at = group;
            for (int64_t b = 0; b < n_blocks; ++b) {
                floats part[n];
                add_steps<n>(at, first_row, column, part);
                if (has_minima) {
                    take_minima<n>(at, first_row, column, part);
                }
#    pragma GCC unroll 12
                for (int c = 0; c < n; ++c) {
                    sum[c] = plus_product(sum[c], part[c], every_lane(column[c].scale));
                }
                at += block_bytes;
                column += n;
            }
            for (int c = 0; c < n; ++c) {
                store(tile + c * group_rows + first_row, sum[c]);
            }
        }
    }

  private:
    template <int n> [[gnu::always_inline]] static inline void
    add_steps(const uint8_t * at, int first_row, const activations * column, floats * part) {
        for (int c = 0; c < n; ++c) {
            part[c] = no_floats();
        }
        const floats block_scale = load_halves(at + 2 * first_row);
        for (int s = 0; s < long_steps; ++s) {
            ints weights[8];
            quants::unpack(at + quants_at + s * quants::bytes + 4 * first_row, weights);
            arrange<n>(weights);
            prefetch<block_bytes / long_steps>(at + s * (block_bytes / long_steps));
            const int first = s * scales_per_step;
            floats scale[scales_per_step];
            for (int i = 0; i < scales_per_step; ++i) {
                const uint8_t * bytes = at + long_scales_at + (first + i) * group_rows + first_row;
                scale[i] = times(block_scale, scales_of(bytes));
            }
            each_dot<n, scales_per_step, quants::largest>(
                weights, [&](int c, int i) { return column[c].values + (first + i) * values_per_start; },
                [&](int c, int i) { return quants::offset ? column[c].start[first + i] : 0; },
                [&](int c, int i, ints products) {
                    part[c] = plus_product(part[c], to_floats(products), scale[i]);
                });
        }
    }

    template <int n>
    static void take_minima(const uint8_t * at, int first_row, const activations * column, floats * part) {
        const floats scale = load_halves(at + 32 + 2 * first_row);
        ints minima[4];
        for (int i = 0; i < 4; ++i) {
            minima[i] = load_byte_pairs(at + minima_at + (i * group_rows + first_row) * 2);
        }
#    pragma GCC unroll 12
        for (int c = 0; c < n; ++c) {
            ints products = no_ints();
            for (int i = 0; i < 4; ++i) {
                products =
                    add_pair_products(products, minima[i], every_lane(four_bytes(column[c].sums + 2 * i)));
            }
            part[c] = minus_product(part[c], to_floats(products), scale);
        }
    }
};

using format_q4_0 = short_format<four_bits<8>, false>;
using format_q4_1 = short_format<four_bits<0>, true>;
using format_q5_0 = short_format<five_bits<16>, false>;
using format_q5_1 = short_format<five_bits<0>, true>;
using format_q8_0 = short_format<eight_bits, false>;
using format_iq4_nl = short_format<four_bits_nonlinear, false>;
using format_q4_k = long_format<four_bits<0>, 1, true, false>;
using format_q5_k = long_format<five_bits<0>, 1, true, false>;
using format_q6_k = long_format<six_bits<32>, 2, false, true>;
using format_iq4_xs = long_format<four_bits_nonlinear, 1, false, true>;

}  // namespace jan::kernels

#endif
