// The columns of a multiplication: where its activations come from, how they are cut into panels, where
// its results go, and with experts, which column belongs to which.
#pragma once

#include "formats.h"

#include "ggml.h"

#include <algorithm>
#include <cstdint>

namespace jan::kernels {

constexpr size_t work_alignment = 64;

inline char * aligned(void * work) {
    const auto address = reinterpret_cast<uintptr_t>(work);
    return static_cast<char *>(work) + (work_alignment - address % work_alignment) % work_alignment;
}

// Columns cut into as few panels as possible, and those as even as possible: 13 are 7 and 6, not 12
// and 1, which would unpack all weights for one column.
struct panels {
    int64_t count;
    int64_t narrow;  // their width; the first n_wide have one column more
    int64_t n_wide;

    panels(int64_t n_columns, int widest)
        : count((n_columns + widest - 1) / widest), narrow(count ? n_columns / count : 0),
          n_wide(count ? n_columns % count : 0) {}

    int width_of(int64_t panel) const { return static_cast<int>(narrow + (panel < n_wide)); }
    int64_t first_of(int64_t panel) const { return panel * narrow + std::min(panel, n_wide); }
    int64_t panel_of(int64_t column) const {
        const int64_t in_wide = n_wide * (narrow + 1);
        return column < in_wide ? column / (narrow + 1) : n_wide + (column - in_wide) / narrow;
    }
};

// A tensor's column by its number through all outer dimensions.
inline size_t column_offset(const ggml_tensor * tensor, int64_t column) {
    const int64_t i1 = column % tensor->ne[1];
    const int64_t i2 = column / tensor->ne[1] % tensor->ne[2];
    const int64_t i3 = column / tensor->ne[1] / tensor->ne[2];
    return i1 * tensor->nb[1] + i2 * tensor->nb[2] + i3 * tensor->nb[3];
}

inline float * result_column(ggml_tensor * op, int64_t column) {
    return reinterpret_cast<float *>(static_cast<char *>(op->data) + column_offset(op, column));
}

// The activations before they are quantised.
class columns {
  public:
    columns(const matrix_format & format, const ggml_tensor * activations)
        : format_(format), activations_(activations), n_blocks_(activations->ne[0] / format.block) {}

    int64_t count() const { return ggml_nrows(activations_); }

    // Quantises this worker's part of all blocks to where `place(column, block)` says.
    template <class Place> void quantise(int worker, int n_workers, const Place & place) const {
        const int64_t n = count() * n_blocks_;
        const int64_t last = n * (worker + 1) / n_workers;
        for (int64_t i = n * worker / n_workers; i < last; ++i) {
            const int64_t column = i / n_blocks_;
            const int64_t block = i % n_blocks_;
            float copied[long_block];
            format_.quantise(block_of(column, block, copied), place(column, block));
        }
    }

  private:
    // Its numbers, copied where they do not lie side by side.
    const float * block_of(int64_t column, int64_t block, float * copied) const {
        const size_t stride = activations_->nb[0];
        const char * from = static_cast<const char *>(activations_->data) +
                            column_offset(activations_, column) + block * format_.block * stride;
        if (stride == sizeof(float)) {
            return reinterpret_cast<const float *>(from);
        }
        for (int i = 0; i < format_.block; ++i) {
            copied[i] = *reinterpret_cast<const float *>(from + i * stride);
        }
        return copied;
    }

    const matrix_format & format_;
    const ggml_tensor * activations_;
    int64_t n_blocks_;
};

// One use of an expert: a column of the activations, and the column of the result that it gives.
struct expert_use {
    int64_t column;
    int64_t result;
};

// Who is used by which rows of MUL_MAT_ID, sorted by expert. Lives in the work buffer: one worker calls
// sort(), and after a barrier all may ask.
class chosen_experts {
  public:
    chosen_experts(void * work, const ggml_tensor * op)
        : op_(op), ends_(static_cast<int64_t *>(work)), uses_(ends_ + op->src[0]->ne[2] + 1) {}

    static size_t bytes(const ggml_tensor * op) {
        return (op->src[0]->ne[2] + 1 + ggml_nelements(op->src[2])) * sizeof(int64_t);
    }

    void sort() {
        const int64_t n_experts = op_->src[0]->ne[2];
        std::fill(ends_, ends_ + n_experts + 1, 0);
        each_use([&](int64_t expert, int64_t) {
            GGML_ASSERT(expert >= 0 && expert < n_experts);
            ++ends_[expert];
        });
        int64_t before = 0;
        for (int64_t e = 0; e <= n_experts; ++e) {  // counts to beginnings
            const int64_t n = ends_[e];
            ends_[e] = before;
            before += n;
        }
        each_use([&](int64_t expert, int64_t use) { uses_[ends_[expert]++] = use; });
    }

    int64_t count(int64_t expert) const { return ends_[expert] - begin(expert); }

    expert_use use(int64_t expert, int64_t index) const {
        const int64_t n_used = op_->src[2]->ne[0];
        const int64_t n_inputs = op_->src[1]->ne[1];  // one for all experts of a token, or one for each
        const int64_t use = uses_[begin(expert) + index];
        const int64_t slot = use % n_used;
        const int64_t token = use / n_used;
        return {token * n_inputs + slot % n_inputs, token * op_->ne[1] + slot};
    }

  private:
    int64_t begin(int64_t expert) const { return expert ? ends_[expert - 1] : 0; }

    template <class See> void each_use(const See & see) const {
        const ggml_tensor * ids = op_->src[2];
        for (int64_t token = 0; token < ids->ne[1]; ++token) {
            for (int64_t slot = 0; slot < ids->ne[0]; ++slot) {
                const char * id =
                    static_cast<const char *>(ids->data) + token * ids->nb[1] + slot * ids->nb[0];
                see(*reinterpret_cast<const int32_t *>(id), token * ids->ne[0] + slot);
            }
        }
    }

    const ggml_tensor * op_;
    int64_t * ends_;  // of each expert's uses; where they begin while they are being sorted
    int64_t * uses_;
};

}  // namespace jan::kernels
