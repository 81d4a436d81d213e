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

// Who computes attention that these workers compute: our kernel, unless told otherwise. And for how many
// workers it cuts the work, which decides in what order it sums: for as many as compute, unless told another
// number. With the same number sums are the same, however many compute. Whoever made a pool says so before it
// computes, and has it forgotten before it is freed.
GGML_API void jan_attention_of_pool(const void * threadpool, bool own, int n_cut);
GGML_API void jan_forget_pool(const void * threadpool);
GGML_API bool jan_own_attention(const void * threadpool);
GGML_API int jan_attention_cut(const void * threadpool, int n_threads);
GGML_API int jan_most_attention_cut(void);  // of all pools so far

#ifdef __cplusplus
}
#endif
