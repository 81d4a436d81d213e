// One attention operation through ggml's own graph, by our kernel or by upstream's, and what it should
// come to.
#pragma once

#include "matrix_product.h"
#include "open_backends.h"

#include "kernels/matrix_switch.h"

#include "ggml-cpu.h"

#include <algorithm>
#include <cmath>

namespace matrix = jan::matrix;

namespace attention {

struct shape {
    ggml_type type = GGML_TYPE_F16;  // of the cache
    int64_t n_key = 64, n_value = 64;
    int64_t n_heads = 8, n_cache_heads = 2;
    int64_t n_rows = 1, n_cells = 256, n_streams = 1;
    bool masked = true;
    float max_bias = 0, softcap = 0;
    bool sinks = false;

    float scale() const { return 1.0f / std::sqrt(static_cast<float>(n_key)); }
};

// The numbers, and the same numbers as the operation gets them.
struct numbers {
    std::vector<float> queries, keys, values, sinks;
    std::vector<ggml_fp16_t> mask;
    std::vector<uint8_t> stored_keys, stored_values;

    numbers(const shape & s, uint32_t seed) {
        const auto n = [](int64_t a, int64_t b, int64_t c, int64_t d) {
            return static_cast<size_t>(a * b * c * d);
        };
        queries = matrix::normal_numbers(n(s.n_key, s.n_heads, s.n_rows, s.n_streams), seed);
        keys = matrix::normal_numbers(n(s.n_key, s.n_cache_heads, s.n_cells, s.n_streams), seed + 1);
        values = matrix::normal_numbers(n(s.n_value, s.n_cache_heads, s.n_cells, s.n_streams), seed + 2);
        sinks = matrix::normal_numbers(static_cast<size_t>(s.n_heads), seed + 3);
        stored_keys = stored(s.type, s.n_key, keys);
        stored_values = stored(s.type, s.n_value, values);
        // Every row sees a beginning of the cells, but for holes, and sometimes nothing.
        std::mt19937 random(seed + 4);
        mask.resize(n(s.n_cells, s.n_rows, s.n_streams, 1));
        for (size_t row = 0; row < mask.size() / static_cast<size_t>(s.n_cells); ++row) {
            const auto sees = static_cast<int64_t>(random() % static_cast<unsigned>(s.n_cells + 1));
            const auto hole = static_cast<int64_t>(random() % static_cast<unsigned>(s.n_cells + 1));
            for (int64_t cell = 0; cell < s.n_cells; ++cell) {
                const bool seen = cell < sees && (cell < hole || cell >= hole + 70);
                const float value = seen ? -static_cast<float>(cell % 5) : -INFINITY;
                mask[row * static_cast<size_t>(s.n_cells) + static_cast<size_t>(cell)] =
                    ggml_fp32_to_fp16(s.max_bias > 0 || !seen ? value : 0.0f);
            }
        }
    }

  private:
    // As a cache keeps them; `plain` becomes what that is worth.
    static std::vector<uint8_t> stored(ggml_type type, int64_t row, std::vector<float> & plain) {
        const auto n_rows = static_cast<int64_t>(plain.size()) / row;
        std::vector<uint8_t> blocks(ggml_row_size(type, row) * static_cast<size_t>(n_rows));
        if (type == GGML_TYPE_F32) {
            memcpy(blocks.data(), plain.data(), blocks.size());
            return blocks;
        }
        ggml_quantize_chunk(type, plain.data(), blocks.data(), 0, n_rows, row, nullptr);
        ggml_get_type_traits(type)->to_float(blocks.data(), plain.data(), static_cast<int64_t>(plain.size()));
        return blocks;
    }
};

class operation {
  public:
    operation(const shape & s, bool own, int n_threads, int n_cut = 0)
        : meta_(ggml_init({64 * ggml_tensor_overhead() + ggml_graph_overhead(), nullptr, true})) {
        ggml_context * m = meta_.get();
        const auto made = [&](ggml_type type, int64_t n, int64_t n_heads, int64_t n_each) {
            return ggml_new_tensor_4d(m, type, n, n_heads, n_each, s.n_streams);
        };
        queries_ = made(GGML_TYPE_F32, s.n_key, s.n_heads, s.n_rows);
        keys_ = made(s.type, s.n_key, s.n_cache_heads, s.n_cells);
        values_ = made(s.type, s.n_value, s.n_cache_heads, s.n_cells);
        mask_ =
            s.masked ? ggml_new_tensor_4d(m, GGML_TYPE_F16, s.n_cells, s.n_rows, 1, s.n_streams) : nullptr;
        const auto by_head = [&](ggml_tensor * t) { return ggml_permute(m, t, 0, 2, 1, 3); };
        result_ = ggml_flash_attn_ext(m, by_head(queries_), by_head(keys_), by_head(values_), mask_,
                                      s.scale(), s.max_bias, s.softcap);
        ggml_flash_attn_ext_set_prec(result_, GGML_PREC_F32);
        if (s.sinks) {
            sinks_ = ggml_new_tensor_1d(m, GGML_TYPE_F32, s.n_heads);
            ggml_flash_attn_ext_add_sinks(result_, sinks_);
        }
        plain_.reset(
            ggml_backend_alloc_ctx_tensors_from_buft(m, ggml_backend_dev_buffer_type(matrix::cpu())));
        graph_ = ggml_new_graph(m);
        ggml_build_forward_expand(graph_, result_);
        backend_.reset(ggml_backend_dev_init(matrix::cpu(), nullptr));
        matrix::cpu_function<ggml_backend_set_n_threads_t>("ggml_backend_set_n_threads")(backend_.get(),
                                                                                         n_threads);
        ggml_threadpool_params params = ggml_threadpool_params_default(n_threads);
        pool_ = matrix::cpu_function<decltype(&ggml_threadpool_new)>("ggml_threadpool_new")(&params);
        jan_attention_of_pool(pool_, own, n_cut > 0 ? n_cut : n_threads);
        matrix::cpu_function<decltype(&ggml_backend_cpu_set_threadpool)>("ggml_backend_cpu_set_threadpool")(
            backend_.get(), pool_);
    }
    ~operation() {
        jan_forget_pool(pool_);
        backend_.reset();
        matrix::cpu_function<decltype(&ggml_threadpool_free)>("ggml_threadpool_free")(pool_);
    }
    operation(const operation &) = delete;

    void set(const numbers & n) {
        put(queries_, n.queries.data());
        put(keys_, n.stored_keys.data());
        put(values_, n.stored_values.data());
        put(mask_, n.mask.data());
        put(sinks_, n.sinks.data());
    }

    void compute() { ggml_backend_graph_compute(backend_.get(), graph_); }

    std::vector<float> result() const {
        std::vector<float> found(static_cast<size_t>(ggml_nelements(result_)));
        ggml_backend_tensor_get(result_, found.data(), 0, found.size() * sizeof(float));
        return found;
    }

  private:
    static void put(ggml_tensor * to, const void * from) {
        if (to) {
            ggml_backend_tensor_set(to, from, 0, ggml_nbytes(to));
        }
    }

    ggml_context_ptr meta_;
    ggml_backend_buffer_ptr plain_;
    ggml_backend_ptr backend_;
    ggml_threadpool_t pool_ = nullptr;
    ggml_tensor *queries_ = nullptr, *keys_ = nullptr, *values_ = nullptr, *mask_ = nullptr,
                *sinks_ = nullptr, *result_ = nullptr;
    ggml_cgraph * graph_ = nullptr;
};

// In double precision, one query after the other.
inline std::vector<double> expected(const shape & s, const numbers & n) {
    std::vector<double> all;
    const int64_t n_log2 = int64_t{1} << static_cast<int>(std::floor(std::log2(s.n_heads)));
    for (int64_t i = 0; i < s.n_streams * s.n_rows * s.n_heads; ++i) {
        const int64_t head = i % s.n_heads;
        const int64_t row = i / s.n_heads;  // of all streams
        const int64_t stream = row / s.n_rows;
        const double slope = s.max_bias <= 0 ? 1
                             : head < n_log2
                                 ? std::pow(2, -s.max_bias / n_log2 * (head + 1))
                                 : std::pow(2, -s.max_bias / 2 / n_log2 * (2 * (head - n_log2) + 1));
        std::vector<double> score(static_cast<size_t>(s.n_cells));
        const auto first_of = [&](int64_t cell, int64_t n) {
            const int64_t cache_head = head / (s.n_heads / s.n_cache_heads);
            return static_cast<size_t>(((stream * s.n_cells + cell) * s.n_cache_heads + cache_head) * n);
        };
        double most = s.sinks ? n.sinks[static_cast<size_t>(head)] : -INFINITY;
        for (int64_t cell = 0; cell < s.n_cells; ++cell) {
            double dot = 0;
            for (int64_t j = 0; j < s.n_key; ++j) {
                dot += static_cast<double>(n.queries[static_cast<size_t>(i * s.n_key + j)]) *
                       n.keys[first_of(cell, s.n_key) + static_cast<size_t>(j)];
            }
            dot *= s.scale();
            dot = s.softcap > 0 ? s.softcap * std::tanh(dot / s.softcap) : dot;
            const ggml_fp16_t m = n.mask[static_cast<size_t>(row * s.n_cells + cell)];
            score[static_cast<size_t>(cell)] = dot + (s.masked ? slope * ggml_fp16_to_fp32(m) : 0);
            most = std::max(most, score[static_cast<size_t>(cell)]);
        }
        std::vector<double> sum(static_cast<size_t>(s.n_value));
        double weights = s.sinks ? std::exp(n.sinks[static_cast<size_t>(head)] - most) : 0;
        for (int64_t cell = 0; cell < s.n_cells && most > -INFINITY; ++cell) {
            const double weight = std::exp(score[static_cast<size_t>(cell)] - most);
            weights += weight;
            for (int64_t j = 0; j < s.n_value; ++j) {
                sum[static_cast<size_t>(j)] +=
                    weight * n.values[first_of(cell, s.n_value) + static_cast<size_t>(j)];
            }
        }
        for (const double x : sum) {
            all.push_back(weights > 0 ? x / weights : 0);
        }
    }
    return all;
}

}  // namespace attention
