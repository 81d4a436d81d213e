// The cells of a cache: where they are, and their numbers in single precision.
#pragma once

#define GGML_COMMON_DECL_CPP
#include "attention_lanes.h"
#include "ggml-common.h"
#include "ggml.h"

#include <algorithm>
#include <cstring>

#ifdef JAN_ATTENTION_KERNEL

namespace jan::kernels {

inline const char * at(const ggml_tensor * tensor, int64_t i1, int64_t i2, int64_t i3) {
    return static_cast<const char *>(tensor->data) + i1 * tensor->nb[1] + i2 * tensor->nb[2] +
           i3 * tensor->nb[3];
}

// Numbers of any type that a cache may have; n fills whole registers where the type has blocks.
inline void open_numbers(ggml_type type, const void * from, int n, float * to) {
    if (type == GGML_TYPE_F16) {
        int i = 0;
        for (; i + n_lanes <= n; i += n_lanes) {
            store(to + i, load_halves(static_cast<const ggml_fp16_t *>(from) + i));
        }
        for (; i < n; ++i) {
            to[i] = GGML_CPU_FP16_TO_FP32(static_cast<const ggml_fp16_t *>(from)[i]);
        }
    } else if (type == GGML_TYPE_F32) {
        memcpy(to, from, n * sizeof(float));
    } else if (type == GGML_TYPE_Q8_0) {
        const auto * blocks = static_cast<const block_q8_0 *>(from);
        for (int i = 0; i < n; i += n_lanes) {
            const block_q8_0 & block = blocks[i / QK8_0];
            const auto * bytes = reinterpret_cast<const uint8_t *>(block.qs) + i % QK8_0;
            store(to + i, times(load_signed_bytes(bytes), every_lane(GGML_CPU_FP16_TO_FP32(block.d))));
        }
    } else {
        ggml_get_type_traits(type)->to_float(from, to, n);
    }
}

// The cells of one head lie far apart: the processor does not see them coming.
inline void prefetch_cells(const ggml_tensor * cells, int64_t first, int64_t last, int64_t head,
                           int64_t stream) {
    const auto n_bytes = static_cast<int64_t>(ggml_row_size(cells->type, cells->ne[0]));
    for (int64_t cell = first; cell < last; ++cell) {
        const char * from = at(cells, cell, head, stream);
        for (int64_t byte = 0; byte < n_bytes; byte += 64) {
            prefetch_line(from + byte);
        }
    }
}

}  // namespace jan::kernels

#endif
