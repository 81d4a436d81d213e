// MUL_MAT and MUL_MAT_ID of packed weights, by all of ggml's workers together.
#pragma once

#include "formats.h"

#include "ggml-cpu-impl.h"

namespace jan::kernels {

// Bytes of a matrix's rows when packed.
size_t matrix_bytes(const matrix_format & format, int64_t n_weights_per_row, int64_t n_rows);

// Bytes of the work buffer that either function below needs for `op`.
size_t work_bytes(const matrix_format & format, const ggml_tensor * op, int n_threads);

// Every worker calls these with its own params.
void multiply(const matrix_format & format, const ggml_compute_params * params, ggml_tensor * op);
void multiply_experts(const matrix_format & format, const ggml_compute_params * params, ggml_tensor * op);

}  // namespace jan::kernels
