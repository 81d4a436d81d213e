// Attention as one operation, FLASH_ATTN_EXT, by all of ggml's workers.
#pragma once

#include "traits.h"

namespace jan::kernels {

// What computes this operation, or null: an operation of another kind, heads that are no whole
// registers, a mask that differs between heads.
ggml::cpu::tensor_traits * attention_of(const ggml_tensor * op);

// Of how many numbers a head must be a multiple for our kernel to be taken without timing it; 0 where it
// never is.
int attention_numbers();

}  // namespace jan::kernels
