// From a file's blocks into the layout of layout.h. Plain C++: the layout is the same everywhere.
#pragma once

#include "layout.h"

namespace jan::kernels {

// Packs sixteen rows of n_blocks each. A row that is null is one of zeros.
using pack_function = void (*)(const uint8_t * const * rows, int64_t n_blocks, uint8_t * group);

void pack_q4_0(const uint8_t * const * rows, int64_t n_blocks, uint8_t * group);
void pack_q4_1(const uint8_t * const * rows, int64_t n_blocks, uint8_t * group);
void pack_q5_0(const uint8_t * const * rows, int64_t n_blocks, uint8_t * group);
void pack_q5_1(const uint8_t * const * rows, int64_t n_blocks, uint8_t * group);
void pack_q8_0(const uint8_t * const * rows, int64_t n_blocks, uint8_t * group);
void pack_iq4_nl(const uint8_t * const * rows, int64_t n_blocks, uint8_t * group);
void pack_q4_k(const uint8_t * const * rows, int64_t n_blocks, uint8_t * group);
void pack_q5_k(const uint8_t * const * rows, int64_t n_blocks, uint8_t * group);
void pack_q6_k(const uint8_t * const * rows, int64_t n_blocks, uint8_t * group);
void pack_iq4_xs(const uint8_t * const * rows, int64_t n_blocks, uint8_t * group);
void pack_f16(const uint8_t * const * rows, int64_t n_blocks, uint8_t * group);
void pack_bf16(const uint8_t * const * rows, int64_t n_blocks, uint8_t * group);

}  // namespace jan::kernels
