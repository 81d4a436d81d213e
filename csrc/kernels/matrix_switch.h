// Whether models that this thread loads may have their weights laid out for our own matrix kernels, and who
// computes attention.
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

// Of how many numbers heads must be multiples for our attention kernel to be taken without timing it; 0
// where this processor has none, or one that nobody has timed. Known once the CPU backend is open.
GGML_API void jan_own_attention_built(int n_numbers);
GGML_API int jan_own_attention_numbers(void);

// Whether attention that these workers compute is ours; it is, unless told otherwise before they compute.
// Whoever frees a pool that was told so takes it back.
GGML_API void jan_own_attention_allow(const void * threadpool, bool allowed);
GGML_API bool jan_own_attention(const void * threadpool);

#ifdef __cplusplus
}
#endif
