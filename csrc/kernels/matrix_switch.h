// Whether models that this thread loads may have their weights laid out for our own matrix kernels.
// Part of libggml-base, the one library that the engine and every CPU variant are linked with: the
// variants are opened at run time and offer no other way in.
#pragma once

#include "ggml.h"

#ifdef __cplusplus
extern "C" {
#endif

// True until told otherwise. Said to the calling thread only, so that two loads do not disturb each
// other; a loaded model keeps the layout that it was loaded with.
GGML_API void jan_matrix_kernels_allow(bool allowed);
GGML_API bool jan_matrix_kernels_allowed(void);

#ifdef __cplusplus
}
#endif
