#include "sampling/row_scan.h"

#if defined(__aarch64__) && defined(__GNUC__)

#    include <algorithm>
#    include <arm_neon.h>
#    include <cmath>

namespace jan {

namespace {

float max_neon(const float * x, int n) {
    // vmaxnm returns the other operand when one is not a number.
    float32x4_t a = vdupq_n_f32(-INFINITY);
    float32x4_t b = a;
    float32x4_t c = a;
    float32x4_t d = a;
    int i = 0;
    for (; i + 16 <= n; i += 16) {
        a = vmaxnmq_f32(vld1q_f32(x + i), a);
        b = vmaxnmq_f32(vld1q_f32(x + i + 4), b);
        c = vmaxnmq_f32(vld1q_f32(x + i + 8), c);
        d = vmaxnmq_f32(vld1q_f32(x + i + 12), d);
    }
    float best = vmaxnmvq_f32(vmaxnmq_f32(vmaxnmq_f32(a, b), vmaxnmq_f32(c, d)));
    for (; i < n; ++i) {
        best = x[i] > best ? x[i] : best;
    }
    return best;
}

void maxima_neon(const float * x, int n, int block, float * to) {
    for (int from = 0; from < n; from += block) {
        *to++ = max_neon(x + from, std::min(block, n - from));
    }
}

int above_neon(const float * x, int n, float bound, int32_t * to) {
    const float32x4_t limit = vdupq_n_f32(bound);
    int found = 0;
    int i = 0;
    for (; i + 16 <= n; i += 16) {
        const uint32x4_t a = vcgtq_f32(vld1q_f32(x + i), limit);
        const uint32x4_t b = vcgtq_f32(vld1q_f32(x + i + 4), limit);
        const uint32x4_t c = vcgtq_f32(vld1q_f32(x + i + 8), limit);
        const uint32x4_t d = vcgtq_f32(vld1q_f32(x + i + 12), limit);
        if (vmaxvq_u32(vorrq_u32(vorrq_u32(a, b), vorrq_u32(c, d))) == 0) {
            continue;
        }
        for (int j = i; j < i + 16; ++j) {
            if (x[j] > bound) {
                to[found++] = j;
            }
        }
    }
    for (; i < n; ++i) {
        if (x[i] > bound) {
            to[found++] = i;
        }
    }
    return found;
}

void divide_neon(const float * x, int n, float divisor, float * to) {
    const float32x4_t by = vdupq_n_f32(divisor);
    int i = 0;
    for (; i + 4 <= n; i += 4) {
        vst1q_f32(to + i, vdivq_f32(vld1q_f32(x + i), by));
    }
    for (; i < n; ++i) {
        to[i] = x[i] / divisor;
    }
}

}  // namespace

// Exponentials are the C library's, one by one.
const row_scan * neon_row_scan() {
    static const row_scan scan = {
        "neon", max_neon, maxima_neon, above_neon, scalar_row_scan().exponentials, divide_neon};
    return &scan;
}

}  // namespace jan

#else

namespace jan {

const row_scan * neon_row_scan() { return nullptr; }

}  // namespace jan

#endif
