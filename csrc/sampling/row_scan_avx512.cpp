#include "sampling/row_scan.h"

#if defined(__x86_64__) && defined(__GNUC__)

#    include "sampling/exp_table.h"

#    include <algorithm>
#    include <cmath>

// GCC 12 warns of values that its own header leaves open on purpose (its bug 105593).
#    ifndef __clang__
#        pragma GCC diagnostic ignored "-Wuninitialized"
#        pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#    endif
#    include <immintrin.h>

#    define JAN_TARGET __attribute__((target("avx512f,avx512dq,avx512vl,avx2,fma")))

namespace jan {

namespace {

// A row is read once and comes from far away: ask for what is needed 4 KiB from here. It does no
// harm where there is nothing.
JAN_TARGET inline void prefetch(const float * x) {
    const auto ahead = reinterpret_cast<uintptr_t>(x) + 4096;
    for (uintptr_t line = 0; line < 256; line += 64) {
        _mm_prefetch(reinterpret_cast<const char *>(ahead + line), _MM_HINT_T0);
    }
}

JAN_TARGET float max_avx512(const float * x, int n) {
    // The instruction returns its second operand when one is not a number.
    __m512 a = _mm512_set1_ps(-INFINITY);
    __m512 b = a;
    __m512 c = a;
    __m512 d = a;
    int i = 0;
    for (; i + 64 <= n; i += 64) {
        prefetch(x + i);
        a = _mm512_max_ps(_mm512_loadu_ps(x + i), a);
        b = _mm512_max_ps(_mm512_loadu_ps(x + i + 16), b);
        c = _mm512_max_ps(_mm512_loadu_ps(x + i + 32), c);
        d = _mm512_max_ps(_mm512_loadu_ps(x + i + 48), d);
    }
    float best = _mm512_reduce_max_ps(_mm512_max_ps(_mm512_max_ps(a, b), _mm512_max_ps(c, d)));
    for (; i < n; ++i) {
        best = x[i] > best ? x[i] : best;
    }
    return best;
}

JAN_TARGET void maxima_avx512(const float * x, int n, int block, float * to) {
    for (int from = 0; from < n; from += block) {
        *to++ = max_avx512(x + from, std::min(block, n - from));
    }
}

JAN_TARGET int above_avx512(const float * x, int n, float bound, int32_t * to) {
    const __m512 limit = _mm512_set1_ps(bound);
    int found = 0;
    int i = 0;
    for (; i + 64 <= n; i += 64) {
        const uint64_t a = _mm512_cmp_ps_mask(_mm512_loadu_ps(x + i), limit, _CMP_GT_OQ);
        const uint64_t b = _mm512_cmp_ps_mask(_mm512_loadu_ps(x + i + 16), limit, _CMP_GT_OQ);
        const uint64_t c = _mm512_cmp_ps_mask(_mm512_loadu_ps(x + i + 32), limit, _CMP_GT_OQ);
        const uint64_t d = _mm512_cmp_ps_mask(_mm512_loadu_ps(x + i + 48), limit, _CMP_GT_OQ);
        for (uint64_t bits = a | b << 16 | c << 32 | d << 48; bits != 0; bits &= bits - 1) {
            to[found++] = i + __builtin_ctzll(bits);
        }
    }
    for (; i < n; ++i) {
        if (x[i] > bound) {
            to[found++] = i;
        }
    }
    return found;
}

// Eight exponentials the way glibc computes one: see exp_table.h.
struct exp_constants {
    __m512d table[4];
    __m512d scale, shift, c0, c1, c2, one;
    __m512i high;
};

JAN_TARGET inline exp_constants load_constants() {
    exp_constants k;
    for (int i = 0; i < 4; ++i) {
        k.table[i] = _mm512_loadu_pd(exp_table().entries + 8 * i);
    }
    k.scale = _mm512_set1_pd(exp_table_values::scale);
    k.shift = _mm512_set1_pd(exp_table_values::shift);
    k.c0 = _mm512_set1_pd(exp_table_values::c0);
    k.c1 = _mm512_set1_pd(exp_table_values::c1);
    k.c2 = _mm512_set1_pd(exp_table_values::c2);
    k.one = _mm512_set1_pd(1);
    k.high = _mm512_set1_epi64(16);
    return k;
}

JAN_TARGET inline __m256 exp8(__m256 x, const exp_constants & k) {
    const __m512d xd = _mm512_cvtps_pd(x);
    const __m512d shifted = _mm512_fmadd_pd(k.scale, xd, k.shift);
    const __m512i ki = _mm512_castpd_si512(shifted);
    const __m512d r = _mm512_fmsub_pd(k.scale, xd, _mm512_sub_pd(shifted, k.shift));
    const __m512d low = _mm512_permutex2var_pd(k.table[0], ki, k.table[1]);
    const __m512d high = _mm512_permutex2var_pd(k.table[2], ki, k.table[3]);
    const __m512d t = _mm512_mask_blend_pd(_mm512_test_epi64_mask(ki, k.high), low, high);
    const __m512i s =
        _mm512_add_epi64(_mm512_castpd_si512(t), _mm512_slli_epi64(ki, 52 - exp_table_values::bits));
    const __m512d z = _mm512_fmadd_pd(k.c0, r, k.c1);
    const __m512d y = _mm512_fmadd_pd(z, _mm512_mul_pd(r, r), _mm512_fmadd_pd(k.c2, r, k.one));
    return _mm512_cvtpd_ps(_mm512_mul_pd(y, _mm512_castsi512_pd(s)));
}

JAN_TARGET double exponentials_avx512(const float * x, int n, float divisor, float top, float * p) {
    const exp_constants k = load_constants();
    const __m512 divisors = _mm512_set1_ps(divisor);
    const __m512 tops = _mm512_set1_ps(top);
    const __m512 least = _mm512_set1_ps(exp_table_values::smallest);
    __m512d a = _mm512_setzero_pd();
    __m512d b = _mm512_setzero_pd();
    for (int i = 0; i < n; i += 16) {
        const __mmask16 there = i + 16 <= n ? __mmask16(0xFFFF) : __mmask16((1u << (n - i)) - 1);
        __m512 e = _mm512_mask_loadu_ps(_mm512_set1_ps(-INFINITY), there, x + i);
        e = divisor == 1 ? e : _mm512_div_ps(e, divisors);
        e = _mm512_sub_ps(e, tops);
        const __mmask16 counts = _mm512_cmp_ps_mask(e, least, _CMP_GE_OQ);
        e = _mm512_maskz_mov_ps(counts, e);
        const __m256 low = exp8(_mm512_castps512_ps256(e), k);
        const __m256 high = exp8(_mm512_extractf32x8_ps(e, 1), k);
        const __m512 both =
            _mm512_maskz_mov_ps(counts, _mm512_insertf32x8(_mm512_castps256_ps512(low), high, 1));
        _mm512_mask_storeu_ps(p + i, there, both);
        a = _mm512_add_pd(a, _mm512_cvtps_pd(_mm512_castps512_ps256(both)));
        b = _mm512_add_pd(b, _mm512_cvtps_pd(_mm512_extractf32x8_ps(both, 1)));
    }
    return _mm512_reduce_add_pd(_mm512_add_pd(a, b));
}

JAN_TARGET void divide_avx512(const float * x, int n, float divisor, float * to) {
    const __m512 by = _mm512_set1_ps(divisor);
    int i = 0;
    for (; i + 16 <= n; i += 16) {
        _mm512_storeu_ps(to + i, _mm512_div_ps(_mm512_loadu_ps(x + i), by));
    }
    for (; i < n; ++i) {
        to[i] = x[i] / divisor;
    }
}

}  // namespace

const row_scan * avx512_row_scan() {
    static const row_scan scan = {"avx512",     max_avx512,          maxima_avx512,
                                  above_avx512, exponentials_avx512, divide_avx512};
    const bool there = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
                       __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("fma");
    return there ? &scan : nullptr;
}

}  // namespace jan

#else

namespace jan {

const row_scan * avx512_row_scan() { return nullptr; }

}  // namespace jan

#endif
