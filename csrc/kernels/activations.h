// Activations as the products take them, made once per multiplication: signed bytes, of which 32 or 256 of a
// column share a scale, or for weights of sixteen bits numbers as they are.
#pragma once

#include "layout.h"

namespace jan::kernels {

// `offset` is what the weights' type takes off every weight; see layout.h.
void quantise(const float * from, int offset, short_activations & to);

// values_per_start: 16 or 32.
void quantise(const float * from, int offset, int values_per_start, long_activations & to);

void copy(const float * from, plain_activations & to);
void copy(const float * from, brain_activations & to);  // rounded, as upstream does where weights are

}  // namespace jan::kernels
