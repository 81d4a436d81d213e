// One guarded forward pass with a new model, so that a file which passes every check but cannot be
// computed with is an exception here and not the end of the process later.
#pragma once

#include "model.h"

#include "llama.h"

namespace jan {

// Feeds two tokens, then one, through an empty context: the two kinds of graph that a sequence
// needs. On this thread alone: an assertion that fails on a worker still aborts, and one that
// fails here must not leave workers behind at a barrier. Throws bad_model_file; the context is
// then good for nothing but llama_free(). Otherwise it is empty again and nothing else changed.
// Does nothing for a model that passed before with this attention kernel, since what can fail depends
// on the file. Where upstream chooses, `flash` is what it chooses on a CPU.
void try_out(const model & source, llama_context * context, bool flash = true);

// The same whatever passed before, with whatever the context computes with.
void try_pass(const model & source, llama_context * context);

}  // namespace jan
