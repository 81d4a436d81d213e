#include "multiply.h"

#include "columns.h"

#include <algorithm>

namespace jan::kernels {

namespace {

// A worker's share at a time: small enough that all end together, and that with several panels its
// packed weights stay in the processor's second cache.
constexpr int64_t shares_per_worker = 8;
constexpr size_t share_bytes = 256 * 1024;

int64_t groups_of(int64_t n_rows) { return (n_rows + group_rows - 1) / group_rows; }

int64_t groups_per_share(int64_t n_groups, size_t group_bytes, int n_threads) {
    const int64_t even = n_groups / (shares_per_worker * n_threads);
    const int64_t cached = static_cast<int64_t>(share_bytes / group_bytes);
    return std::max<int64_t>(1, std::min(even, cached));
}

// Rows of a matrix, packed.
struct packed_matrix {
    const matrix_format & format;
    const uint8_t * data;
    int64_t n_rows;
    int64_t n_blocks;
    size_t group_bytes;

    // Groups [first, last) times one panel of `width` columns, whose results begin at `results`.
    void multiply(int64_t first, int64_t last, const void * panel, int width, float * const * results) const {
        alignas(64) float tile[16 * group_rows];
        for (int64_t g = first; g < last; ++g) {
            format.panels[width](data + g * group_bytes, panel, n_blocks, tile);
            const int64_t row = g * group_rows;
            const size_t n = static_cast<size_t>(std::min<int64_t>(group_rows, n_rows - row));
            for (int c = 0; c < width; ++c) {
                memcpy(results[c] + row, tile + c * group_rows, n * sizeof(float));
            }
        }
    }
};

packed_matrix matrix_at(const matrix_format & format, const ggml_tensor * weights, int64_t index) {
    const int64_t n_blocks = weights->ne[0] / format.block;
    const int64_t n_rows = weights->ne[1];
    const size_t bytes = matrix_bytes(format, weights->ne[0], n_rows);
    return {format, static_cast<const uint8_t *>(weights->data) + index * bytes, n_rows, n_blocks,
            format.group_bytes(n_blocks)};
}

}  // namespace

size_t matrix_bytes(const matrix_format & format, int64_t n_weights_per_row, int64_t n_rows) {
    return static_cast<size_t>(groups_of(n_rows)) * format.group_bytes(n_weights_per_row / format.block);
}

void multiply(const matrix_format & format, const ggml_compute_params * params, ggml_tensor * op) {
    const packed_matrix matrix = matrix_at(format, op->src[0], 0);
    const columns all(format, op->src[1]);
    char * quantised = aligned(params->wdata);

    const panels cut(all.count(), format.widest);
    all.quantise(params->ith, params->nth, [&](int64_t column, int64_t block) {
        const int64_t panel = cut.panel_of(column);
        const int64_t first = cut.first_of(panel);
        const int64_t place = first * matrix.n_blocks + block * cut.width_of(panel) + (column - first);
        return quantised + place * format.activation_bytes;
    });
    if (params->ith == 0) {
        ggml_threadpool_chunk_set(params->threadpool, params->nth);
    }
    ggml_barrier(params->threadpool);

    const int64_t n_groups = groups_of(matrix.n_rows);
    const int64_t share = groups_per_share(n_groups, matrix.group_bytes, params->nth);
    for (int64_t next = params->ith; next * share < n_groups;
         next = ggml_threadpool_chunk_add(params->threadpool, 1)) {
        const int64_t first_group = next * share;
        const int64_t last_group = std::min(first_group + share, n_groups);
        for (int64_t panel = 0; panel < cut.count; ++panel) {
            const int64_t first = cut.first_of(panel);
            const int width = cut.width_of(panel);
            float * results[16];
            for (int c = 0; c < width; ++c) {
                results[c] = result_column(op, first + c);
            }
            matrix.multiply(first_group, last_group,
                            quantised + first * matrix.n_blocks * format.activation_bytes, width, results);
        }
    }
}

void multiply_experts(const matrix_format & format, const ggml_compute_params * params, ggml_tensor * op) {
    const ggml_tensor * weights = op->src[0];
    const int64_t n_experts = weights->ne[2];
    const columns all(format, op->src[1]);
    const packed_matrix any = matrix_at(format, weights, 0);
    const size_t column_bytes = any.n_blocks * format.activation_bytes;

    char * quantised = aligned(params->wdata);
    char * gathered = quantised + all.count() * column_bytes;
    all.quantise(params->ith, params->nth, [&](int64_t column, int64_t block) {
        return quantised + column * column_bytes + block * format.activation_bytes;
    });
    chosen_experts chosen(gathered + params->nth * format.widest * column_bytes, op);
    if (params->ith == 0) {
        chosen.sort();
        ggml_threadpool_chunk_set(params->threadpool, params->nth);
    }
    ggml_barrier(params->threadpool);

    char * panel = gathered + params->ith * format.widest * column_bytes;
    const int64_t n_groups = groups_of(any.n_rows);
    const int64_t share = groups_per_share(n_groups, any.group_bytes, params->nth);
    int64_t next = params->ith;
    int64_t passed = 0;
    for (int64_t expert = 0; expert < n_experts; ++expert) {
        const int64_t n_columns = chosen.count(expert);
        const packed_matrix matrix = matrix_at(format, weights, expert);
        const panels cut(n_columns, format.widest);
        for (int64_t first_group = 0; n_columns > 0 && first_group < n_groups; first_group += share) {
            if (passed++ != next) {
                continue;
            }
            for (int64_t p = 0; p < cut.count; ++p) {
                const int width = cut.width_of(p);
                float * results[16];
                for (int c = 0; c < width; ++c) {
                    const expert_use use = chosen.use(expert, cut.first_of(p) + c);
                    const char * column = quantised + use.column * column_bytes;
                    for (int64_t b = 0; b < matrix.n_blocks; ++b) {
                        memcpy(panel + (b * width + c) * format.activation_bytes,
                               column + b * format.activation_bytes, format.activation_bytes);
                    }
                    results[c] = result_column(op, use.result);
                }
                matrix.multiply(first_group, std::min(first_group + share, n_groups), panel, width, results);
            }
            next = ggml_threadpool_chunk_add(params->threadpool, 1);
        }
    }
}

size_t work_bytes(const matrix_format & format, const ggml_tensor * op, int n_threads) {
    const size_t column_bytes = op->src[0]->ne[0] / format.block * format.activation_bytes;
    const size_t all = ggml_nrows(op->src[1]) * column_bytes + work_alignment;
    if (op->op == GGML_OP_MUL_MAT) {
        return all;
    }
    return all + n_threads * format.widest * column_bytes + chosen_experts::bytes(op);
}

}  // namespace jan::kernels
