// Puts an engine together from its parts.
#pragma once

#include "engine.h"
#include "kernel_choice.h"
#include "llama_forward.h"
#include "null_forward.h"

#include <memory>

namespace jan {

struct opened_engine {
    std::unique_ptr<engine> running;
    kernel_choice kernel;
    int n_threads = 0;
};

// Where options leave the attention kernel open and nothing but speed decides, both are timed first,
// for some 2 * running.calibrate_s, or a round more where that does not tell them apart. Throws what
// llama_forward's constructor throws.
opened_engine open_engine(std::shared_ptr<const model> source, const forward_options & options,
                          const engine_options & running);

// An engine over nothing, for benchmarks of the engine itself. Token i is the letter i % 26;
// none ends a generation.
std::unique_ptr<engine> open_null_engine(const null_options & options, const engine_options & running);

}  // namespace jan
