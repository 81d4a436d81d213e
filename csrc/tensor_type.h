// ggml's element types, so that the header reader checks sizes against the same table.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace jan {

struct tensor_type {
    int id;  // as stored in a GGUF file
    std::string name;
    int64_t n_block;  // elements per block
    uint64_t block_bytes;
};

// Without the ids that ggml has retired.
std::vector<tensor_type> tensor_types();

}  // namespace jan
