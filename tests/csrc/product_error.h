// How far products are from the same in double precision, ours and upstream's on the same input.
#pragma once

#include "matrix_product.h"
#include "open_backends.h"

#include <algorithm>
#include <cmath>

namespace jan::matrix {

// Those that we have kernels for.
constexpr ggml_type types[] = {GGML_TYPE_Q4_K,   GGML_TYPE_Q6_K,   GGML_TYPE_Q5_K, GGML_TYPE_Q8_0,
                               GGML_TYPE_Q4_0,   GGML_TYPE_Q4_1,   GGML_TYPE_Q5_0, GGML_TYPE_Q5_1,
                               GGML_TYPE_IQ4_NL, GGML_TYPE_IQ4_XS, GGML_TYPE_F16,  GGML_TYPE_BF16};

inline std::vector<double> to_doubles(ggml_type type, const std::vector<uint8_t> & blocks, int64_t n) {
    std::vector<float> plain(static_cast<size_t>(n));
    ggml_get_type_traits(type)->to_float(blocks.data(), plain.data(), n);
    return {plain.begin(), plain.end()};
}

// Numbers that become bytes without any rounding, whatever number of them shares a scale.
inline std::vector<float> whole_numbers(size_t n, uint32_t seed) {
    std::mt19937 random(seed);
    std::vector<float> numbers(n);
    for (size_t i = 0; i < n; ++i) {
        numbers[i] = i % 32 == 7 ? 127.0f : static_cast<float>(static_cast<int>(random() % 255) - 127);
    }
    return numbers;
}

// Which matrix and which column of activations a column of the result is of.
struct pairing {
    int64_t expert, column;
};

inline std::vector<pairing> pairings(const shape & s, const std::vector<int32_t> & ids) {
    std::vector<pairing> all;
    for (int64_t c = 0; c < s.n_columns; ++c) {
        for (int64_t u = 0; u < std::max<int64_t>(1, s.n_used); ++u) {
            const int64_t i = c * s.n_used + u;
            all.push_back(s.n_used ? pairing{ids[static_cast<size_t>(i)], s.input_per_use ? i : c}
                                   : pairing{0, c});
        }
    }
    return all;
}

// What the activations are once a type's kernels have made bytes of them: ours and upstream's alike, blocks
// as long as the type's with a scale each, in half precision where they are short.
inline std::vector<double> through_bytes(ggml_type type, const std::vector<float> & activations) {
    if (!ggml_is_quantized(type)) {
        return {activations.begin(), activations.end()};
    }
    const size_t block = static_cast<size_t>(ggml_blck_size(type));
    std::vector<double> quantised(activations.size());
    for (size_t first = 0; first < activations.size(); first += block) {
        float most = 0;
        for (size_t i = first; i < first + block; ++i) {
            most = std::max(most, std::fabs(activations[i]));
        }
        const float factor = most > 0 ? 127 / most : 0;
        const float scale = block == 32 ? ggml_fp16_to_fp32(ggml_fp32_to_fp16(most / 127))
                            : most > 0  ? 1 / factor
                                        : 0;
        for (size_t i = first; i < first + block; ++i) {
            quantised[i] =
                static_cast<double>(scale) * static_cast<double>(std::rint(activations[i] * factor));
        }
    }
    return quantised;
}

inline std::vector<double> exact_products(const shape & s, const std::vector<pairing> & of,
                                          const std::vector<double> & weights,
                                          const std::vector<double> & activations) {
    std::vector<double> exact;
    for (const pairing & p : of) {
        const double * a = &activations[static_cast<size_t>(p.column * s.k)];
        for (int64_t r = 0; r < s.n_rows; ++r) {
            const double * w = &weights[static_cast<size_t>((p.expert * s.n_rows + r) * s.k)];
            double sum = 0;
            for (int64_t i = 0; i < s.k; ++i) {
                sum += w[i] * a[i];
            }
            exact.push_back(sum);
        }
    }
    return exact;
}

// Of all that were found together; of the exact ones there may be more.
inline double relative_error(const std::vector<double> & exact, const std::vector<float> & found) {
    double squares = 0, wrong = 0;
    for (size_t i = 0; i < found.size(); ++i) {
        const double d = exact[i] - static_cast<double>(found[i]);
        squares += exact[i] * exact[i];
        wrong += d * d;
    }
    return wrong > 0 ? std::sqrt(wrong / squares) : 0;  // where all should be and is nothing
}

inline std::vector<float> computed(const shape & s, bool with_ours, int n_threads,
                                   const std::vector<uint8_t> & blocks,
                                   const std::vector<float> & activations, const std::vector<int32_t> & ids) {
    product p(s, with_ours, n_threads);
    GGML_ASSERT(p.taken());
    p.set_weights(blocks);
    p.set_activations(activations);
    if (!ids.empty()) {
        p.set_ids(ids);
    }
    p.compute();
    return p.result();
}

struct errors {
    double ours, upstreams;
};

}  // namespace jan::matrix
