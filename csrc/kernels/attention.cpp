#include "attention.h"

#include "attention_share.h"
#include "common.h"
#include "ggml-cpu-impl.h"
#include "matrix_switch.h"

#include <algorithm>

#ifdef JAN_ATTENTION_KERNEL

namespace jan::kernels {

namespace {

constexpr int64_t most_numbers = 1024;  // of a head

bool is_cache(const ggml_tensor * t) {
    const bool opens = t->type == GGML_TYPE_F32 || ggml_get_type_traits(t->type)->to_float;
    return opens && t->nb[0] == ggml_type_size(t->type) && t->ne[0] % n_lanes == 0 &&
           t->ne[0] <= most_numbers;
}

// Upstream's kernel computes in the same memory where ours may not: ggml_graph_plan() in ggml-cpu.c.
size_t upstream_bytes(const ggml_tensor * op, int n_threads) {
    const int64_t n_key = op->src[1]->ne[0];
    const int64_t n_value = op->src[2]->ne[0];
    const int64_t tiled =
        GGML_FA_TILE_Q * (n_key + n_value + 2 * GGML_FA_TILE_KV) + GGML_FA_TILE_KV * (n_key + n_value);
    const int64_t by_cells = op->src[0]->ne[2] * (2 + n_value) + n_key + 2 * n_value;
    return n_threads * std::max(tiled, by_cells) * sizeof(float);
}

class attention_traits : public ggml::cpu::tensor_traits {
  public:
    bool work_size(int n_threads, const ggml_tensor * op, size_t & size) override {
        size = upstream_bytes(op, n_threads);
        // Fewer may compute than were planned for, and the cut may be for more.
        for (int n = 1; n <= std::max(n_threads, jan_most_attention_cut()); ++n) {
            const attention_cut by(op, n);
            const size_t own = n_threads * attention_workspace::bytes(op, by);
            size = std::max(size, own + attention::partial_bytes(op, by));
        }
        size += 2 * work_alignment;
        return true;
    }

    bool compute_forward(ggml_compute_params * params, ggml_tensor * op) override {
        if (params->use_ref || !jan_own_attention(params->threadpool)) {
            return false;
        }
        const attention_cut by(op, jan_attention_cut(params->threadpool, params->nth));
        char * memory = aligned(params->wdata);
        const size_t each = attention_workspace::bytes(op, by);
        const attention_workspace work(memory + params->ith * each, op, by);
        const attention all(op, by, memory + params->nth * each);
        if (params->ith == 0) {
            ggml_threadpool_chunk_set(params->threadpool, params->nth);
        }
        ggml_barrier(params->threadpool);
        for (int64_t next = params->ith; next < by.n_shares * by.n_pieces;
             next = ggml_threadpool_chunk_add(params->threadpool, 1)) {
            all.compute(next / by.n_pieces, next % by.n_pieces, work);
        }
        if (by.n_pieces > 1) {
            ggml_barrier(params->threadpool);
            for (int64_t share = params->ith; share < by.n_shares; share += params->nth) {
                all.join(share, work);
            }
        }
        return true;
    }
};

bool is_ours(const ggml_tensor * op) {
    if (op->op != GGML_OP_FLASH_ATTN_EXT) {
        return false;
    }
    const ggml_tensor * q = op->src[0];
    const ggml_tensor * k = op->src[1];
    const ggml_tensor * v = op->src[2];
    const ggml_tensor * mask = op->src[3];
    const ggml_tensor * sinks = op->src[4];
    return q->type == GGML_TYPE_F32 && q->nb[0] == sizeof(float) && is_cache(k) && is_cache(v) &&
           k->ne[2] == v->ne[2] && k->ne[3] == v->ne[3] && q->ne[2] % k->ne[2] == 0 &&
           q->ne[3] % k->ne[3] == 0 && op->type == GGML_TYPE_F32 && op->nb[0] == sizeof(float) &&
           (!mask ||
            (mask->type == GGML_TYPE_F16 && mask->ne[2] == 1 && mask->nb[0] == sizeof(ggml_fp16_t))) &&
           (!sinks || sinks->type == GGML_TYPE_F32);
}

}  // namespace

ggml::cpu::tensor_traits * attention_of(const ggml_tensor * op) {
    static attention_traits instance;
    return is_ours(op) ? &instance : nullptr;
}

#    ifdef JAN_MATRIX_NEON
int attention_numbers() { return 0; }  // nobody has timed it yet
#    else
int attention_numbers() { return n_lanes; }
#    endif

}  // namespace jan::kernels

#else

namespace jan::kernels {

ggml::cpu::tensor_traits * attention_of(const ggml_tensor *) { return nullptr; }

int attention_numbers() { return 0; }

}  // namespace jan::kernels

#endif
