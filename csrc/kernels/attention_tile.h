// The inner loops of attention: one head's keys and values, sixty-four cells at a time, against a few
// queries. Keys are turned so that a register has the same number of sixteen cells; every query of the
// heads and rows that look at these cells uses them once they are.
#pragma once

#include "attention_lanes.h"

#include <cmath>

#ifdef JAN_ATTENTION_KERNEL

namespace jan::kernels {

constexpr int tile_cells = 64;
constexpr int tile_queries = 6;
constexpr int cell_registers = tile_cells / n_lanes;
// As many as have their sums in registers for all queries of a tile.
constexpr int registers_at_once = n_lanes == 16 ? 4 : 2;
static_assert(cell_registers % registers_at_once == 0);

// turned[number][cell] = rows[cell][number]. Cells from n_cells on are nothing.
template <class LoadRow>
inline void turn_keys(int n_cells, int n_numbers, float * turned, const LoadRow & load_row) {
    for (int first = 0; first < tile_cells; first += n_lanes) {
        for (int at = 0; at < n_numbers; at += n_lanes) {
            floats square[n_lanes];
#    pragma GCC unroll 16
            for (int i = 0; i < n_lanes; ++i) {
                square[i] = first + i < n_cells ? load_row(first + i, at) : no_floats();
            }
            transpose(square);
#    pragma GCC unroll 16
            for (int i = 0; i < n_lanes; ++i) {
                store(turned + (at + i) * tile_cells + first, square[i]);
            }
        }
    }
}

// scores[query][cell]
template <int n> inline void score_queries(const float * const * queries, const float * turned, int n_numbers,
                                           float * scores) {
    for (int first = 0; first < cell_registers; first += registers_at_once) {
        floats sums[n][registers_at_once];
#    pragma GCC unroll 6
        for (int q = 0; q < n; ++q) {
#    pragma GCC unroll 4
            for (int r = 0; r < registers_at_once; ++r) {
                sums[q][r] = no_floats();
            }
        }
        const float * cells = turned + first * n_lanes;
        for (int at = 0; at < n_numbers; ++at, cells += tile_cells) {
            floats keys[registers_at_once];
#    pragma GCC unroll 4
            for (int r = 0; r < registers_at_once; ++r) {
                keys[r] = load_floats(cells + r * n_lanes);
            }
#    pragma GCC unroll 6
            for (int q = 0; q < n; ++q) {
                const floats number = every_lane(queries[q][at]);
#    pragma GCC unroll 4
                for (int r = 0; r < registers_at_once; ++r) {
                    sums[q][r] = plus_product(sums[q][r], number, keys[r]);
                }
            }
        }
#    pragma GCC unroll 6
        for (int q = 0; q < n; ++q) {
#    pragma GCC unroll 4
            for (int r = 0; r < registers_at_once; ++r) {
                store(scores + q * tile_cells + (first + r) * n_lanes, sums[q][r]);
            }
        }
    }
}

// The same for so few queries that turning the keys would take longer than this: lanes of a register are
// summed instead, sixteen cells at a time.
template <class LoadRow> inline void score_query(const float * query, int n_cells, int n_numbers,
                                                 float * scores, const LoadRow & load_row) {
    for (int first = 0; first < tile_cells; first += n_lanes) {
        floats sums[n_lanes];
#    pragma GCC unroll 16
        for (int i = 0; i < n_lanes; ++i) {
            sums[i] = no_floats();
            for (int at = 0; first + i < n_cells && at < n_numbers; at += n_lanes) {
                sums[i] = plus_product(sums[i], load_floats(query + at), load_row(first + i, at));
            }
        }
        transpose(sums);
        floats all = sums[0];
#    pragma GCC unroll 16
        for (int i = 1; i < n_lanes; ++i) {
            all = sum(all, sums[i]);
        }
        store(scores + first, all);
    }
}

// What a query has seen so far: its largest score, and relative to that, the sum of all weights.
struct query_state {
    float largest;
    float weights;
};

struct score_shape {
    float slope;    // of the mask
    float softcap;  // 0 = none
};

// Scores of a tile into weights. What was summed before has to be multiplied by the result.
inline float weigh(float * scores, const float * mask, const score_shape & shape, query_state & state) {
    if (shape.softcap != 0) {
        for (int i = 0; i < tile_cells; ++i) {
            scores[i] = shape.softcap * tanhf(scores[i]);
        }
    }
    floats s[cell_registers];
    floats most = every_lane(state.largest);
#    pragma GCC unroll 8
    for (int r = 0; r < cell_registers; ++r) {
        s[r] = plus_product(load_floats(scores + r * n_lanes), every_lane(shape.slope),
                            load_floats(mask + r * n_lanes));
        most = larger(most, s[r]);
    }
    const float largest_now = largest(most);
    if (largest_now == -INFINITY) {  // this query sees none of them
        for (int r = 0; r < cell_registers; ++r) {
            store(scores + r * n_lanes, no_floats());
        }
        return 1;
    }
    floats weights = no_floats();
#    pragma GCC unroll 8
    for (int r = 0; r < cell_registers; ++r) {
        const floats w = exponential(difference(s[r], every_lane(largest_now)));
        store(scores + r * n_lanes, w);
        weights = sum(weights, w);
    }
    const float before = state.largest == -INFINITY ? 0 : expf(state.largest - largest_now);
    state.largest = largest_now;
    state.weights = state.weights * before + total(weights);
    return before;
}

// sums[query][number] = sums x scale[query] + weights[query][cell] x values[cell][number], for as many
// registers of numbers from the first.
template <int n, int n_registers, class LoadRow>
inline void add_values(const float * weights, const float * scale, int n_cells, float * const * sums,
                       int first, const LoadRow & load_row) {
    floats s[n][n_registers];
#    pragma GCC unroll 6
    for (int q = 0; q < n; ++q) {
#    pragma GCC unroll 4
        for (int r = 0; r < n_registers; ++r) {
            s[q][r] = times(load_floats(sums[q] + first + r * n_lanes), every_lane(scale[q]));
        }
    }
    for (int cell = 0; cell < n_cells; ++cell) {
        floats v[n_registers];
#    pragma GCC unroll 4
        for (int r = 0; r < n_registers; ++r) {
            v[r] = load_row(cell, first + r * n_lanes);
        }
#    pragma GCC unroll 6
        for (int q = 0; q < n; ++q) {
            const floats weight = every_lane(weights[q * tile_cells + cell]);
#    pragma GCC unroll 4
            for (int r = 0; r < n_registers; ++r) {
                s[q][r] = plus_product(s[q][r], weight, v[r]);
            }
        }
    }
#    pragma GCC unroll 6
    for (int q = 0; q < n; ++q) {
#    pragma GCC unroll 4
        for (int r = 0; r < n_registers; ++r) {
            store(sums[q] + first + r * n_lanes, s[q][r]);
        }
    }
}

template <int n, class LoadRow> inline void add_values(const float * weights, const float * scale,
                                                       int n_cells, int n_numbers, float * const * sums,
                                                       const LoadRow & load_row) {
    int first = 0;
    for (; first + registers_at_once * n_lanes <= n_numbers; first += registers_at_once * n_lanes) {
        add_values<n, registers_at_once>(weights, scale, n_cells, sums, first, load_row);
    }
    for (; first < n_numbers; first += n_lanes) {
        add_values<n, 1>(weights, scale, n_cells, sums, first, load_row);
    }
}

}  // namespace jan::kernels

#endif
