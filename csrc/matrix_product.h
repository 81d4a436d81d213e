// A product of quantised weights and activations through ggml's own graph, its weights in a buffer type
// of one's choice: ours, or the one that upstream's loader would choose without us.
#pragma once

#include "ggml-alloc.h"
#include "ggml-backend.h"
#include "ggml-cpp.h"
#include "ggml.h"

#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <vector>

namespace jan::matrix {

struct shape {
    ggml_type type;
    int64_t k, n_rows, n_columns;
    int64_t n_experts = 0;  // then n_columns is a number of tokens
    int64_t n_used = 0;
    bool input_per_use = false;
};

inline ggml_backend_dev_t cpu() { return ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU); }

template <class Function> Function cpu_function(const char * name) {
    return reinterpret_cast<Function>(
        ggml_backend_reg_get_proc_address(ggml_backend_dev_backend_reg(cpu()), name));
}

// Null where this variant of the CPU backend has no kernels of ours.
inline ggml_backend_buffer_type_t ours() {
    const auto types = cpu_function<ggml_backend_dev_get_extra_bufts_t>("ggml_backend_dev_get_extra_bufts");
    for (ggml_backend_buffer_type_t * type = types(cpu()); *type; ++type) {
        if (std::string(ggml_backend_buft_name(*type)) == "CPU_JAN") {
            return *type;
        }
    }
    return nullptr;
}

inline bool takes(ggml_backend_buffer_type_t type, ggml_tensor * op) {
    const ggml_backend_buffer_ptr empty(ggml_backend_buft_alloc_buffer(type, 0));
    op->src[0]->buffer = empty.get();
    const bool taken = ggml_backend_dev_supports_op(cpu(), op);
    op->src[0]->buffer = nullptr;
    return taken;
}

class product {
  public:
    product(const shape & of, bool with_ours, int n_threads)
        : shape_(of), meta_(ggml_init({64 * ggml_tensor_overhead() + ggml_graph_overhead(), nullptr, true})) {
        ggml_context * m = meta_.get();
        if (of.n_experts) {
            weights_ = ggml_new_tensor_3d(m, of.type, of.k, of.n_rows, of.n_experts);
            activations_ =
                ggml_new_tensor_3d(m, GGML_TYPE_F32, of.k, of.input_per_use ? of.n_used : 1, of.n_columns);
            ids_ = ggml_new_tensor_2d(m, GGML_TYPE_I32, of.n_used, of.n_columns);
            result_ = ggml_mul_mat_id(m, weights_, activations_, ids_);
        } else {
            weights_ = ggml_new_tensor_2d(m, of.type, of.k, of.n_rows);
            activations_ = ggml_new_tensor_2d(m, GGML_TYPE_F32, of.k, of.n_columns);
            result_ = ggml_mul_mat(m, weights_, activations_);
        }
        type_ = with_ours ? matrix::ours() : upstreams_choice();
        place(weights_, type_, weights_in_);
        // The others beside each other in plain memory.
        plain_.reset(ggml_backend_alloc_ctx_tensors_from_buft(m, ggml_backend_cpu_type()));
        graph_ = ggml_new_graph(m);
        ggml_build_forward_expand(graph_, result_);
        backend_.reset(ggml_backend_dev_init(cpu(), nullptr));
        cpu_function<ggml_backend_set_n_threads_t>("ggml_backend_set_n_threads")(backend_.get(), n_threads);
    }

    void set_weights(const std::vector<uint8_t> & blocks) {
        ggml_backend_tensor_set(weights_, blocks.data(), 0, blocks.size());
    }
    void set_activations(const std::vector<float> & values) {
        ggml_backend_tensor_set(activations_, values.data(), 0, values.size() * sizeof(float));
    }
    void set_ids(const std::vector<int32_t> & ids) {
        ggml_backend_tensor_set(ids_, ids.data(), 0, ids.size() * sizeof(int32_t));
    }

    void compute() { ggml_backend_graph_compute(backend_.get(), graph_); }

    std::vector<float> result() const {
        std::vector<float> values(static_cast<size_t>(ggml_nelements(result_)));
        ggml_backend_tensor_get(result_, values.data(), 0, values.size() * sizeof(float));
        return values;
    }

    std::string buffer_name() const { return ggml_backend_buft_name(type_); }
    bool taken() const { return type_ != nullptr && takes_now_; }
    size_t weight_bytes() const { return ggml_backend_buffer_get_size(weights_in_.get()); }

  private:
    static ggml_backend_buffer_type_t ggml_backend_cpu_type() { return ggml_backend_dev_buffer_type(cpu()); }

    // What llama.cpp's loader does, without our type.
    ggml_backend_buffer_type_t upstreams_choice() {
        const auto types =
            cpu_function<ggml_backend_dev_get_extra_bufts_t>("ggml_backend_dev_get_extra_bufts");
        for (ggml_backend_buffer_type_t * type = types(cpu()); *type; ++type) {
            if (*type != matrix::ours() && takes(*type, result_)) {
                return *type;
            }
        }
        return ggml_backend_cpu_type();
    }

    void place(ggml_tensor * tensor, ggml_backend_buffer_type_t type, ggml_backend_buffer_ptr & in) {
        takes_now_ = takes(type, result_);
        in.reset(ggml_backend_buft_alloc_buffer(type, ggml_backend_buft_get_alloc_size(type, tensor) + 64));
        ggml_backend_buffer_set_usage(in.get(), GGML_BACKEND_BUFFER_USAGE_WEIGHTS);
        ggml_backend_tensor_alloc(in.get(), tensor, ggml_backend_buffer_get_base(in.get()));
    }

    shape shape_;
    ggml_context_ptr meta_;
    ggml_backend_buffer_ptr weights_in_, plain_;
    ggml_backend_ptr backend_;
    ggml_backend_buffer_type_t type_ = nullptr;
    ggml_tensor *weights_ = nullptr, *activations_ = nullptr, *ids_ = nullptr, *result_ = nullptr;
    ggml_cgraph * graph_ = nullptr;
    bool takes_now_ = false;
};

inline std::vector<float> normal_numbers(size_t n, uint32_t seed) {
    std::mt19937 random(seed);
    std::normal_distribution<float> normal;
    std::vector<float> numbers(n);
    for (float & number : numbers) {
        number = normal(random);
    }
    return numbers;
}

// Normally distributed weights in the type's blocks.
inline std::vector<uint8_t> quantised_weights(ggml_type type, int64_t k, int64_t n_rows, uint32_t seed) {
    const std::vector<float> plain = normal_numbers(static_cast<size_t>(k * n_rows), seed);
    std::vector<uint8_t> blocks(ggml_row_size(type, k) * static_cast<size_t>(n_rows));
    ggml_quantize_chunk(type, plain.data(), blocks.data(), 0, n_rows, k, nullptr);
    return blocks;
}

}  // namespace jan::matrix
