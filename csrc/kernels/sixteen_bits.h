// The inner loops for weights of sixteen bits, which are floating-point numbers and have no scales.
#pragma once

#include "panel.h"

#ifdef JAN_MATRIX_KERNELS

namespace jan::kernels {

// Sums that are under way for a column at a time, or with few columns each addition would wait for the one
// before. Shorter sums are also nearer to the exact ones.
constexpr int chains_for(int n_columns) { return n_columns >= 3 ? 2 : 4; }

struct half_weights {
    using activations = plain_activations;
    static constexpr int n_at_once = 1;  // positions that an element of `values` covers

    template <int n>
    static void add(const uint8_t * weights, const activations * column, int position, floats (&sum)[n]) {
        const floats weight = load_halves(weights + 2 * group_rows * position);
#    pragma GCC unroll 12
        for (int c = 0; c < n; ++c) {
            sum[c] = plus_product(sum[c], weight, every_lane(column[c].values[position]));
        }
    }
};

struct brain_weights {
    static constexpr int n_at_once = 2;

#    ifdef JAN_BRAIN_PRODUCTS
    using activations = brain_activations;

    template <int n>
    static void add(const uint8_t * weights, const activations * column, int position, floats (&sum)[n]) {
        const ints pair = load(weights + 2 * group_rows * position);
#        pragma GCC unroll 12
        for (int c = 0; c < n; ++c) {
            sum[c] = plus_pair_products(sum[c], pair, every_lane(four_bytes(column[c].values + position)));
        }
    }
#    else
    using activations = plain_activations;

    template <int n>
    static void add(const uint8_t * weights, const activations * column, int position, floats (&sum)[n]) {
        const ints pair = load(weights + 2 * group_rows * position);
        const floats first = first_of_pair(pair);
        const floats second = second_of_pair(pair);
#        pragma GCC unroll 12
        for (int c = 0; c < n; ++c) {
            sum[c] = plus_product(sum[c], first, every_lane(column[c].values[position]));
            sum[c] = plus_product(sum[c], second, every_lane(column[c].values[position + 1]));
        }
    }
#    endif
};

template <class Weights> struct sixteen_bits {
    using activations = typename Weights::activations;
    static constexpr int block = step_weights;

    static constexpr size_t group_bytes(int64_t n_blocks) {
        return static_cast<size_t>(n_blocks) * sixteen_bits_bytes;
    }

    template <int n>
    static void multiply(const uint8_t * group, const void * panel, int64_t n_blocks, float * tile) {
        constexpr int n_chains = chains_for(n);
        for (int first_row = 0; first_row < group_rows; first_row += n_lanes) {
            floats sum[n_chains][n];
            for (auto & chain : sum) {
                for (floats & s : chain) {
                    s = no_floats();
                }
            }
            const auto * column = static_cast<const activations *>(panel);
            const uint8_t * weights = group + 2 * Weights::n_at_once * first_row;
            for (int64_t b = 0; b < n_blocks; ++b) {
                prefetch<sixteen_bits_bytes>(weights);
#    pragma GCC unroll 32
                for (int i = 0; i < step_weights; i += Weights::n_at_once) {
                    Weights::template add<n>(weights, column, i, sum[i / Weights::n_at_once % n_chains]);
                }
                weights += sixteen_bits_bytes;
                column += n;
            }
            for (int c = 0; c < n; ++c) {
                floats all = sum[0][c];
                for (int chain = 1; chain < n_chains; ++chain) {
                    all = plus_product(all, sum[chain][c], every_lane(1.0f));
                }
                store(tile + c * group_rows + first_row, all);
            }
        }
    }
};

using format_f16 = sixteen_bits<half_weights>;
using format_bf16 = sixteen_bits<brain_weights>;

}  // namespace jan::kernels

#endif
