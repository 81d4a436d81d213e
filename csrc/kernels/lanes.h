// One vector register: a lane per row, and in it four bytes, or one 32-bit number. Of a group's sixteen
// rows AVX-512 holds all, AVX2 half, NEON a quarter.
#pragma once

#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VL__) && defined(__AVX512VNNI__)
#    define JAN_MATRIX_AVX512 1
#elif defined(__AVX2__) && defined(__FMA__) && defined(__F16C__)
#    define JAN_MATRIX_AVX2 1
#elif defined(__aarch64__) && defined(__ARM_FEATURE_DOTPROD)
#    define JAN_MATRIX_NEON 1
#endif

#if defined(JAN_MATRIX_AVX512) || defined(JAN_MATRIX_AVX2) || defined(JAN_MATRIX_NEON)
#    define JAN_MATRIX_KERNELS 1

#    if defined(JAN_MATRIX_AVX512)
#        include "lanes_avx512.h"
#    elif defined(JAN_MATRIX_AVX2)
#        include "lanes_avx2.h"
#    else
#        include "lanes_neon.h"
#    endif

#    include <cstddef>
#    include <cstring>

namespace jan::kernels {

inline int32_t four_bytes(const void * from) {
    int32_t word;
    memcpy(&word, from, sizeof word);
    return word;
}

// Rounded to half precision.
inline float through_half(float v) {
#    ifdef JAN_MATRIX_NEON
    return static_cast<float>(static_cast<__fp16>(v));
#    else
    return _cvtsh_ss(_cvtss_sh(v, _MM_FROUND_TO_NEAREST_INT));
#    endif
}

// Of the cache line there, before it is read.
inline void prefetch_line(const void * at) { __builtin_prefetch(at); }

}  // namespace jan::kernels

#endif
