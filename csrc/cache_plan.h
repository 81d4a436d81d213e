// How large the cache is, how it is laid out, and which attention kernel reads it. Measured in
// docs/adr/0007.
#pragma once

#include "kv_ledger.h"

#include <cstdint>

namespace jan {

struct cache_wish {
    int n_lanes = 1;
    int n_ctx = 0;        // of the longest sequence; 0 = n_ctx_train
    int64_t n_cells = 0;  // of the whole cache; 0 = n_lanes * n_ctx, as far as memory allows
    int mode = -1;        // a kv_mode, or -1
    int flash = -1;       // 0 plain products, 1 the flash kernel, -1 by what they cost
    bool quantized = false;
    bool on_gpu = false;
    bool own_attention = false;  // as the flash kernel: csrc/kernels
    bool recurrent = false;
    int n_ctx_train = 0;
    uint64_t cell_bytes = 0;  // 0 = unknown: memory is then not looked at
    uint64_t free_bytes = 0;  // 0 = unknown
};

struct cache_plan {
    kv_shape shape;
    int flash = -1;               // -1: upstream decides
    bool timing_decides = false;  // either kernel would do; `flash` is what to take untimed
};

// Throws invalid_argument, and out_of_memory when free memory does not hold one lane of 256 cells.
cache_plan plan_cache(const cache_wish & wish);

}  // namespace jan
