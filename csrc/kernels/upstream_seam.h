// Included before upstream's ggml-cpu.cpp by the compiler's command line, as the file itself is not ours
// to edit. Where it asks for the repacking buffer type, to put it into the list of buffer types that
// weights may live in, ours goes first into that list. What ours does not take goes on to upstream's.
#pragma once

#include "buffer_type.h"
#include "repack.h"  // declares the name before it becomes a macro

// `bufts` is the list at the one place where that file says the name.
#define ggml_backend_cpu_repack_buffer_type() jan::kernels::before_others(bufts)
