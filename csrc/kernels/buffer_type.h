// The buffer type whose tensors lie as our matrix kernels read them.
#pragma once

#include "ggml-backend.h"

#include <vector>

namespace jan::kernels {

// Null where this variant of the CPU backend has no kernels of ours.
ggml_backend_buffer_type_t matrix_buffer_type();

// Puts it into a list of buffer types, once, and returns upstream's repacking type, which is to follow.
ggml_backend_buffer_type_t before_repacking(std::vector<ggml_backend_buffer_type_t> & list);

}  // namespace jan::kernels
