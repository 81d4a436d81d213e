// The buffer type whose tensors lie as our matrix kernels read them.
#pragma once

#include "ggml-backend.h"

#include <vector>

namespace jan::kernels {

// Null where this variant of the CPU backend has no kernels of ours.
ggml_backend_buffer_type_t matrix_buffer_type();

// Puts it, once, first into a list of buffer types: before AMX's too, which is slower than ours in every
// shape that was measured (docs/matrix-kernels.md). Returns upstream's repacking type, which is to follow.
ggml_backend_buffer_type_t before_others(std::vector<ggml_backend_buffer_type_t> & list);

}  // namespace jan::kernels
