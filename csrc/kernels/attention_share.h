// A share of an attention operation: some rows of a stream and all heads that read one head of the cache,
// over all cells or, in pieces that are joined later, some of them.
#pragma once

#include "attention_cells.h"
#include "attention_cut.h"

#ifdef JAN_ATTENTION_KERNEL

namespace jan::kernels {

constexpr int few_queries = 3;  // for which nothing is prepared

class attention {
  public:
    attention(ggml_tensor * op, const attention_cut & by, char * partials)
        : op_(op), q_(op->src[0]), k_(op->src[1]), v_(op->src[2]), mask_(op->src[3]), sinks_(op->src[4]),
          by_(by), partials_(reinterpret_cast<float *>(partials)) {
        memcpy(&scale_, op->op_params + 0, sizeof scale_);
        memcpy(&max_bias_, op->op_params + 1, sizeof max_bias_);
        memcpy(&softcap_, op->op_params + 2, sizeof softcap_);
        if (softcap_ != 0) {
            scale_ /= softcap_;
        }
    }

    // One piece of one share.
    void compute(int64_t share, int64_t piece, const attention_workspace & work) const {
        const place where = place_of(share);
        start(where, work);
        const int64_t n_tiles = (k_->ne[1] + tile_cells - 1) / tile_cells;
        const int64_t last = n_tiles * (piece + 1) / by_.n_pieces;
        for (int64_t tile = n_tiles * piece / by_.n_pieces; tile < last; ++tile) {
            add_tile(where, tile * tile_cells, work);
        }
        for (int64_t query = 0; query < where.n_rows * by_.n_heads_each; ++query) {
            const float * sums = work.sums + query * v_->ne[0];
            if (by_.n_pieces == 1) {
                finish(where, query, work.states[query], sums);
            } else {
                float * partial = partial_of(share, query, piece);
                memcpy(partial, &work.states[query], sizeof(query_state));
                memcpy(partial + 2, sums, v_->ne[0] * sizeof(float));
            }
        }
    }

    // What the pieces of a share come to.
    void join(int64_t share, const attention_workspace & work) const {
        const place where = place_of(share);
        const int64_t n = v_->ne[0];
        for (int64_t query = 0; query < where.n_rows * by_.n_heads_each; ++query) {
            query_state all{-INFINITY, 0};
            for (int64_t piece = 0; piece < by_.n_pieces; ++piece) {
                all.largest = std::max(all.largest, partial_of(share, query, piece)[0]);
            }
            float * sums = work.sums;
            std::fill(sums, sums + n, 0.0f);
            for (int64_t piece = 0; piece < by_.n_pieces; ++piece) {
                const float * partial = partial_of(share, query, piece);
                if (partial[0] == -INFINITY) {
                    continue;
                }
                const float weight = expf(partial[0] - all.largest);
                all.weights += weight * partial[1];
                for (int64_t i = 0; i < n; ++i) {
                    sums[i] += weight * partial[2 + i];
                }
            }
            finish(where, query, all, sums);
        }
    }

    static size_t partial_bytes(const ggml_tensor * op, const attention_cut & by) {
        const int64_t each = 2 + op->src[2]->ne[0];
        return by.n_pieces == 1 ? 0 : by.n_shares * by.queries_each() * by.n_pieces * each * sizeof(float);
    }

  private:
    struct place {
        int64_t stream;  // of the queries
        int64_t head;    // of the cache
        int64_t first_row;
        int64_t n_rows;
        int64_t cache_stream;
    };

    // The parts of a stream's rows that end last begin first: what they read is the most.
    place place_of(int64_t share) const {
        const int64_t part = by_.n_row_parts - 1 - share % by_.n_row_parts;
        const int64_t alike = share / by_.n_row_parts;
        const int64_t stream = alike / k_->ne[2];
        const int64_t first = part * by_.rows_each;
        return {stream, alike % k_->ne[2], first, std::min(by_.rows_each, q_->ne[1] - first),
                stream / (q_->ne[3] / k_->ne[3])};
    }

    float * partial_of(int64_t share, int64_t query, int64_t piece) const {
        const int64_t index = (share * by_.queries_each() + query) * by_.n_pieces + piece;
        return partials_ + index * (2 + v_->ne[0]);
    }

    // A share's queries are its rows, and of each all heads that read the same head of the cache.
    void start(const place & where, const attention_workspace & work) const {
        const int64_t n = k_->ne[0];
        const int64_t n_queries = where.n_rows * by_.n_heads_each;
        for (int64_t query = 0; query < n_queries; ++query) {
            const auto * from = reinterpret_cast<const float *>(
                at(q_, where.first_row + query / by_.n_heads_each,
                   where.head * by_.n_heads_each + query % by_.n_heads_each, where.stream));
            float * to = work.queries + query * n;
            for (int64_t i = 0; i < n; ++i) {
                to[i] = from[i] * scale_;
            }
            work.states[query] = {-INFINITY, 0};
        }
        std::fill(work.sums, work.sums + n_queries * v_->ne[0], 0.0f);
    }

    void add_tile(const place & where, int64_t first_cell, const attention_workspace & work) const {
        const int n_cells = static_cast<int>(std::min<int64_t>(tile_cells, k_->ne[1] - first_cell));
        int64_t seeing[most_queries];  // rows that look at any of these cells
        int n_seeing = 0;
        for (int64_t row = 0; row < where.n_rows; ++row) {
            if (open_mask(where, row, first_cell, n_cells, work.masks + row * tile_cells)) {
                seeing[n_seeing++] = row;
            }
        }
        if (n_seeing == 0) {
            return;
        }
        const int64_t last_next = std::min(first_cell + 2 * tile_cells, k_->ne[1]);
        for (const ggml_tensor * cells : {k_, v_}) {
            prefetch_cells(cells, first_cell + tile_cells, last_next, where.head, where.cache_stream);
        }
        const int n_queries = n_seeing * static_cast<int>(by_.n_heads_each);
        if (n_queries <= few_queries) {
            for (int i = 0; i < n_queries; ++i) {
                const int64_t row = seeing[i / by_.n_heads_each];
                add_query(where, first_cell, row * by_.n_heads_each + i % by_.n_heads_each, n_cells, work);
            }
            return;
        }
        open_cells(where, first_cell, n_cells, work);
        const panels tiles(n_queries, tile_queries);
        for (int64_t t = 0; t < tiles.count; ++t) {
            int64_t queries[tile_queries];
            const int64_t first = tiles.first_of(t);
            const int width = tiles.width_of(t);
            for (int i = 0; i < width; ++i) {
                const int64_t row = seeing[(first + i) / by_.n_heads_each];
                queries[i] = row * by_.n_heads_each + (first + i) % by_.n_heads_each;
            }
            switch (width) {
                case 1: add_queries<1>(where, queries, n_cells, work); break;
                case 2: add_queries<2>(where, queries, n_cells, work); break;
                case 3: add_queries<3>(where, queries, n_cells, work); break;
                case 4: add_queries<4>(where, queries, n_cells, work); break;
                case 5: add_queries<5>(where, queries, n_cells, work); break;
                default: add_queries<6>(where, queries, n_cells, work);
            }
        }
    }

    template <int n> void add_queries(const place & where, const int64_t * queries, int n_cells,
                                      const attention_workspace & work) const {
        const float * numbers[n];
        float * sums[n];
        float scale[n];
        for (int i = 0; i < n; ++i) {
            numbers[i] = work.queries + queries[i] * k_->ne[0];
            sums[i] = work.sums + queries[i] * v_->ne[0];
        }
        score_queries<n>(numbers, work.turned, static_cast<int>(k_->ne[0]), work.scores);
        for (int i = 0; i < n; ++i) {
            scale[i] = weigh_query(where, queries[i], work.scores + i * tile_cells, work);
        }
        const int64_t stride = v_->ne[0];
        add_values<n>(work.scores, scale, n_cells, static_cast<int>(stride), sums, [&](int cell, int number) {
            return load_floats(work.values + cell * stride + number);
        });
    }

    void add_query(const place & where, int64_t first_cell, int64_t query, int n_cells,
                   const attention_workspace & work) const {
        with_rows(k_, where, first_cell, n_cells, work.keys, [&](const auto & load_row) {
            score_query(work.queries + query * k_->ne[0], n_cells, static_cast<int>(k_->ne[0]), work.scores,
                        load_row);
        });
        const float scale = weigh_query(where, query, work.scores, work);
        float * sums = work.sums + query * v_->ne[0];
        with_rows(v_, where, first_cell, n_cells, work.values, [&](const auto & load_row) {
            add_values<1>(work.scores, &scale, n_cells, static_cast<int>(v_->ne[0]), &sums, load_row);
        });
    }

    float weigh_query(const place & where, int64_t query, float * scores,
                      const attention_workspace & work) const {
        const int64_t head = where.head * by_.n_heads_each + query % by_.n_heads_each;
        const float * mask = work.masks + query / by_.n_heads_each * tile_cells;
        return weigh(scores, mask, {slope_of(head), softcap_}, work.states[query]);
    }

    // False where the row sees none of the cells.
    bool open_mask(const place & where, int64_t row, int64_t first_cell, int n_cells, float * to) const {
        std::fill(to + n_cells, to + tile_cells, -INFINITY);
        if (!mask_) {
            std::fill(to, to + n_cells, 0.0f);
            return true;
        }
        const auto * from = reinterpret_cast<const ggml_fp16_t *>(
                                at(mask_, where.first_row + row, 0, where.stream % mask_->ne[3])) +
                            first_cell;
        constexpr ggml_fp16_t unseen = 0xfc00;  // minus infinity
        if (std::all_of(from, from + n_cells, [](ggml_fp16_t m) { return m == unseen; })) {
            return false;
        }
        open_numbers(GGML_TYPE_F16, from, n_cells, to);
        return true;
    }

    void open_cells(const place & where, int64_t first_cell, int n_cells,
                    const attention_workspace & work) const {
        with_rows(k_, where, first_cell, n_cells, work.keys, [&](const auto & load_row) {
            turn_keys(n_cells, static_cast<int>(k_->ne[0]), work.turned, load_row);
        });
        for (int cell = 0; cell < n_cells; ++cell) {
            open_numbers(v_->type, at(v_, first_cell + cell, where.head, where.cache_stream),
                         static_cast<int>(v_->ne[0]), work.values + cell * v_->ne[0]);
        }
    }

    // Hands out what loads a register of a cell's numbers: from the cache, or where its type takes more than
    // an instruction, from `opened`.
    template <class Use> static void with_rows(const ggml_tensor * cells, const place & where,
                                               int64_t first_cell, int n_cells, float * opened,
                                               const Use & use) {
        const char * first = at(cells, first_cell, where.head, where.cache_stream);
        const size_t stride = cells->nb[1];
        if (cells->type == GGML_TYPE_F16) {
            use([=](int cell, int number) { return load_halves(first + cell * stride + 2 * number); });
        } else if (cells->type == GGML_TYPE_F32) {
            use([=](int cell, int number) {
                return load_floats(reinterpret_cast<const float *>(first + cell * stride) + number);
            });
        } else {
            const int n = static_cast<int>(cells->ne[0]);
            for (int cell = 0; cell < n_cells; ++cell) {
                open_numbers(cells->type, first + cell * stride, n, opened + cell * n);
            }
            use([=](int cell, int number) { return load_floats(opened + cell * n + number); });
        }
    }

    float slope_of(int64_t head) const {
        if (max_bias_ <= 0) {
            return 1;
        }
        const int64_t n_log2 = int64_t{1} << static_cast<int>(std::floor(std::log2(q_->ne[2])));
        return head < n_log2 ? powf(2.0f, -max_bias_ / n_log2 * (head + 1))
                             : powf(2.0f, -max_bias_ / 2 / n_log2 * (2 * (head - n_log2) + 1));
    }

    void finish(const place & where, int64_t query, query_state state, const float * sums) const {
        const int64_t row = where.first_row + query / by_.n_heads_each;
        const int64_t head = where.head * by_.n_heads_each + query % by_.n_heads_each;
        float factor = 1;
        if (sinks_) {  // a score that has no value
            const float sink = static_cast<const float *>(sinks_->data)[head];
            const float most = std::max(sink, state.largest);
            factor = expf(state.largest - most);
            state.weights = state.weights * factor + expf(sink - most);
        }
        factor = state.weights == 0 ? 0 : factor / state.weights;
        auto * to = reinterpret_cast<float *>(static_cast<char *>(op_->data) + head * op_->nb[1] +
                                              row * op_->nb[2] + where.stream * op_->nb[3]);
        for (int64_t i = 0; i < v_->ne[0]; ++i) {
            to[i] = sums[i] * factor;
        }
    }

    ggml_tensor * op_;
    const ggml_tensor * q_;
    const ggml_tensor * k_;
    const ggml_tensor * v_;
    const ggml_tensor * mask_;   // may be null
    const ggml_tensor * sinks_;  // may be null
    const attention_cut & by_;
    float * partials_;
    float scale_;
    float max_bias_;
    float softcap_;
};

}  // namespace jan::kernels

#endif
