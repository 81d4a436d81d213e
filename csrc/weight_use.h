// Which operation of a forward pass each weight of a model goes into, and where it lies for that, which is
// what chooses the kernel.
#pragma once

#include "model.h"

#include <cstdint>
#include <string>
#include <vector>

namespace jan {

struct weight_use {
    std::string name;
    std::string type;       // "q4_K"
    std::string operation;  // in ggml's words: "MUL_MAT", "GET_ROWS"
    std::string buffer;     // the type of buffer that it lies in: "CPU_JAN", "CPU_REPACK", "CUDA0"
    uint64_t n_bytes;       // as in the file
    bool is_multiplied;     // it is the matrix of a product, of one matrix or of one by experts
    bool is_as_stored;      // it lies in plain memory as it does in the file
    bool on_processor;      // it is the processor that computes with it
};

// Watches a pass over two tokens and one over one, on this thread; in the order of their first use. A
// weight that lies in two places, as a table of embeddings that is the output's matrix too, comes twice.
// Throws unsupported_feature, out_of_memory, bad_model_file and backend_failure.
std::vector<weight_use> uses_of_weights(const model & source);

}  // namespace jan
