// The tensor types that our kernels take, and for each of them what a multiplication needs to know.
#pragma once

#include "pack.h"

#include "ggml.h"

namespace jan::kernels {

// tile[column][16 rows] = a group times a panel of activations[block][column].
using panel_function = void (*)(const uint8_t * group, const void * panel, int64_t n_blocks, float * tile);

struct matrix_format {
    ggml_type type;
    int block;                                        // weights of a block: 32 or 256
    size_t activation_bytes;                          // of a block
    void (*quantise)(const float * from, void * to);  // one block of a column
    size_t (*group_bytes)(int64_t n_blocks);
    pack_function pack;
    const panel_function * panels;  // by their number of columns, from 1 to widest
    int widest;
};

// Null for what upstream's kernels have to do; always so where this was compiled without AVX2 or NEON's dot
// products.
const matrix_format * format_of(ggml_type type);

}  // namespace jan::kernels
