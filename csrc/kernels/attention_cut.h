// Attention cut into what one worker does at a time, and the memory it needs for that.
#pragma once

#include "attention_tile.h"
#include "columns.h"

#ifdef JAN_ATTENTION_KERNEL

namespace jan::kernels {

constexpr int most_queries = 128;     // of a share, unless one row of all its heads is more
constexpr int shares_per_worker = 4;  // where there are rows enough, so that all end together
constexpr int64_t least_piece = 256;  // cells worth a share of their own

// How the work is cut: by stream, by head of the cache, by rows, and where those are few, by cells.
struct attention_cut {
    int64_t n_heads_each;  // heads that read the same head of the cache
    int64_t rows_each;
    int64_t n_row_parts;
    int64_t n_pieces;
    int64_t n_shares;  // without pieces

    attention_cut(const ggml_tensor * op, int n_threads) {
        const ggml_tensor * q = op->src[0];
        const ggml_tensor * k = op->src[1];
        n_heads_each = q->ne[2] / k->ne[2];
        const int64_t n_alike = k->ne[2] * q->ne[3];
        const int64_t wanted = static_cast<int64_t>(shares_per_worker) * n_threads;
        const int64_t parts_wanted = n_threads == 1 ? 1 : (wanted + n_alike - 1) / n_alike;
        // Eight rows share the turning of keys well enough.
        const int64_t even = std::max<int64_t>(8, (q->ne[1] + parts_wanted - 1) / parts_wanted);
        rows_each = std::clamp<int64_t>(most_queries / n_heads_each, 1, even);
        n_row_parts = (q->ne[1] + rows_each - 1) / rows_each;
        n_shares = n_alike * n_row_parts;
        const int64_t missing = n_shares < 2 * n_threads && n_threads > 1 ? wanted / n_shares : 1;
        n_pieces = std::clamp<int64_t>(k->ne[1] / least_piece, 1, std::max<int64_t>(1, missing));
    }

    int64_t queries_each() const { return rows_each * n_heads_each; }
};

// A worker's own memory.
struct attention_workspace {
    float * turned;
    float * values;
    float * queries;
    float * sums;
    float * masks;
    float * scores;
    float * keys;  // of a cache whose numbers have to be opened
    query_state * states;

    static size_t bytes(const ggml_tensor * op, const attention_cut & by) {
        const int64_t n_key = op->src[1]->ne[0];
        const int64_t n_value = op->src[2]->ne[0];
        const int64_t n_queries = by.queries_each();
        const int64_t n = tile_cells * (n_key + n_value) + n_queries * (n_key + n_value) +
                          tile_cells * (by.rows_each + tile_queries + n_key);
        const size_t least = n * sizeof(float) + n_queries * sizeof(query_state) + 8 * work_alignment;
        return (least + work_alignment - 1) / work_alignment * work_alignment;
    }

    attention_workspace(char * at, const ggml_tensor * op, const attention_cut & by) {
        const int64_t n_key = op->src[1]->ne[0];
        const int64_t n_value = op->src[2]->ne[0];
        const auto take = [&](int64_t n) {
            auto * taken = reinterpret_cast<float *>(aligned(at));
            at = reinterpret_cast<char *>(taken + n);
            return taken;
        };
        turned = take(tile_cells * n_key);
        values = take(tile_cells * n_value);
        queries = take(by.queries_each() * n_key);
        sums = take(by.queries_each() * n_value);
        masks = take(by.rows_each * tile_cells);
        scores = take(tile_queries * tile_cells);
        keys = take(tile_cells * n_key);
        states = reinterpret_cast<query_state *>(take(0));
    }
};

}  // namespace jan::kernels

#endif
