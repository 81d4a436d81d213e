// Activations to signed bytes, once per multiplication: 32 or 256 values of a column share a scale.
#pragma once

#include "layout.h"

namespace jan::kernels {

// `offset` is what the weights' type takes off every weight; see layout.h.
void quantise(const float * from, int offset, short_activations & to);

// values_per_start: 16 or 32.
void quantise(const float * from, int offset, int values_per_start, long_activations & to);

}  // namespace jan::kernels
