// A llama.cpp context: made, and handed rows, in one way by all who compute with a model.
#pragma once

#include "model.h"

#include "llama.h"

#include <memory>

namespace jan {

struct context_deleter {
    void operator()(llama_context * c) const { llama_free(c); }
};

using context_handle = std::unique_ptr<llama_context, context_deleter>;

// Guarded: a failed assertion is an exception. Throws out_of_memory, with what takes less as advice;
// invalid_argument for a type of cache that does not fit the model; backend_failure. `flash`, where
// given, is whether attention is upstream's flash kernel: what was asked for may have left it the choice.
context_handle open_context(const model & of, const llama_context_params & params, const char * advice,
                            bool * flash = nullptr);

// llama_decode, while no adapter of the model comes or goes.
int32_t decode_rows(const model & of, llama_context * context, const llama_batch & rows);

}  // namespace jan
