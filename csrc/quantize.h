// A model file into a smaller model file, through upstream's own quantiser.
#pragma once

#include "model.h"

#include <string>
#include <vector>

namespace jan {

struct quantize_options {
    std::string source;
    std::string target;
    std::string type;         // "Q4_K_M"; see quantize_types()
    int n_threads = 0;        // 0 = default_n_threads()
    bool requantize = false;  // accept a source that is quantised already; costs quality
    bool pure = false;        // one type for every matrix instead of the usual mixture
};

// Blocks until written. progress.fraction counts finished tensors; progress.cancel takes
// effect between two tensors. Throws invalid_argument for an unknown type, cancelled,
// write_failed for the target's sake, out_of_memory, or bad_model_file with upstream's reason.
// The target then holds nothing usable and is the caller's to remove.
void quantize(const quantize_options & options, load_progress & progress);

// Every name quantize() takes.
std::vector<std::string> quantize_types();

}  // namespace jan
