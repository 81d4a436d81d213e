#include "sampling/row_scan.h"

#if defined(__x86_64__) && defined(__GNUC__)

#    include "sampling/exp_table.h"

#    include <algorithm>
#    include <cmath>
#    include <immintrin.h>

#    define JAN_TARGET __attribute__((target("avx2,fma")))

namespace jan {

namespace {

// A row is read once and comes from far away: ask for what is needed 4 KiB from here. It does no
// harm where there is nothing.
JAN_TARGET inline void prefetch(const float * x) {
    const auto ahead = reinterpret_cast<uintptr_t>(x) + 4096;
    _mm_prefetch(reinterpret_cast<const char *>(ahead), _MM_HINT_T0);
    _mm_prefetch(reinterpret_cast<const char *>(ahead + 64), _MM_HINT_T0);
}

JAN_TARGET float max_avx2(const float * x, int n) {
    // The instruction returns its second operand when one is not a number.
    __m256 a = _mm256_set1_ps(-INFINITY);
    __m256 b = a;
    __m256 c = a;
    __m256 d = a;
    int i = 0;
    for (; i + 32 <= n; i += 32) {
        prefetch(x + i);
        a = _mm256_max_ps(_mm256_loadu_ps(x + i), a);
        b = _mm256_max_ps(_mm256_loadu_ps(x + i + 8), b);
        c = _mm256_max_ps(_mm256_loadu_ps(x + i + 16), c);
        d = _mm256_max_ps(_mm256_loadu_ps(x + i + 24), d);
    }
    float lanes[8];
    _mm256_storeu_ps(lanes, _mm256_max_ps(_mm256_max_ps(a, b), _mm256_max_ps(c, d)));
    float best = -INFINITY;
    for (const float lane : lanes) {
        best = lane > best ? lane : best;
    }
    for (; i < n; ++i) {
        best = x[i] > best ? x[i] : best;
    }
    return best;
}

JAN_TARGET void maxima_avx2(const float * x, int n, int block, float * to) {
    for (int from = 0; from < n; from += block) {
        *to++ = max_avx2(x + from, std::min(block, n - from));
    }
}

JAN_TARGET inline uint32_t above8(const float * x, __m256 limit) {
    return static_cast<uint32_t>(_mm256_movemask_ps(_mm256_cmp_ps(_mm256_loadu_ps(x), limit, _CMP_GT_OQ)));
}

JAN_TARGET int above_avx2(const float * x, int n, float bound, int32_t * to) {
    const __m256 limit = _mm256_set1_ps(bound);
    int found = 0;
    int i = 0;
    for (; i + 32 <= n; i += 32) {
        uint32_t bits = above8(x + i, limit) | above8(x + i + 8, limit) << 8 |
                        above8(x + i + 16, limit) << 16 | above8(x + i + 24, limit) << 24;
        for (; bits != 0; bits &= bits - 1) {
            to[found++] = i + __builtin_ctz(bits);
        }
    }
    for (; i < n; ++i) {
        if (x[i] > bound) {
            to[found++] = i;
        }
    }
    return found;
}

// Four exponentials the way glibc computes one: see exp_table.h.
JAN_TARGET inline __m128 exp4(__m128 x, const double * table) {
    const __m256d scale = _mm256_set1_pd(exp_table_values::scale);
    const __m256d shift = _mm256_set1_pd(exp_table_values::shift);
    const __m256d xd = _mm256_cvtps_pd(x);
    const __m256d shifted = _mm256_fmadd_pd(scale, xd, shift);
    const __m256i ki = _mm256_castpd_si256(shifted);
    const __m256d r = _mm256_fmsub_pd(scale, xd, _mm256_sub_pd(shifted, shift));
    const __m256i place = _mm256_and_si256(ki, _mm256_set1_epi64x(exp_table_values::n - 1));
    const __m256d t = _mm256_i64gather_pd(table, place, 8);
    const __m256i s =
        _mm256_add_epi64(_mm256_castpd_si256(t), _mm256_slli_epi64(ki, 52 - exp_table_values::bits));
    const __m256d z =
        _mm256_fmadd_pd(_mm256_set1_pd(exp_table_values::c0), r, _mm256_set1_pd(exp_table_values::c1));
    const __m256d line = _mm256_fmadd_pd(_mm256_set1_pd(exp_table_values::c2), r, _mm256_set1_pd(1));
    const __m256d y = _mm256_fmadd_pd(z, _mm256_mul_pd(r, r), line);
    return _mm256_cvtpd_ps(_mm256_mul_pd(y, _mm256_castsi256_pd(s)));
}

JAN_TARGET double exponentials_avx2(const float * x, int n, float divisor, float top, float * p) {
    const double * table = exp_table().entries;
    const __m128 divisors = _mm_set1_ps(divisor);
    const __m128 tops = _mm_set1_ps(top);
    const __m128 least = _mm_set1_ps(exp_table_values::smallest);
    __m256d a = _mm256_setzero_pd();
    __m256d b = _mm256_setzero_pd();
    int i = 0;
    for (; i + 8 <= n; i += 8) {
        __m128 e = _mm_loadu_ps(x + i);
        __m128 f = _mm_loadu_ps(x + i + 4);
        e = _mm_sub_ps(divisor == 1 ? e : _mm_div_ps(e, divisors), tops);
        f = _mm_sub_ps(divisor == 1 ? f : _mm_div_ps(f, divisors), tops);
        const __m128 e_counts = _mm_cmp_ps(e, least, _CMP_GE_OQ);
        const __m128 f_counts = _mm_cmp_ps(f, least, _CMP_GE_OQ);
        e = _mm_and_ps(exp4(_mm_and_ps(e, e_counts), table), e_counts);
        f = _mm_and_ps(exp4(_mm_and_ps(f, f_counts), table), f_counts);
        _mm_storeu_ps(p + i, e);
        _mm_storeu_ps(p + i + 4, f);
        a = _mm256_add_pd(a, _mm256_cvtps_pd(e));
        b = _mm256_add_pd(b, _mm256_cvtps_pd(f));
    }
    double lanes[4];
    _mm256_storeu_pd(lanes, _mm256_add_pd(a, b));
    const double rest = scalar_row_scan().exponentials(x + i, n - i, divisor, top, p + i);
    return lanes[0] + lanes[1] + lanes[2] + lanes[3] + rest;
}

JAN_TARGET void divide_avx2(const float * x, int n, float divisor, float * to) {
    const __m256 by = _mm256_set1_ps(divisor);
    int i = 0;
    for (; i + 8 <= n; i += 8) {
        _mm256_storeu_ps(to + i, _mm256_div_ps(_mm256_loadu_ps(x + i), by));
    }
    for (; i < n; ++i) {
        to[i] = x[i] / divisor;
    }
}

}  // namespace

const row_scan * avx2_row_scan() {
    static const row_scan scan = {"avx2", max_avx2, maxima_avx2, above_avx2, exponentials_avx2, divide_avx2};
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? &scan : nullptr;
}

}  // namespace jan

#else

namespace jan {

const row_scan * avx2_row_scan() { return nullptr; }

}  // namespace jan

#endif
