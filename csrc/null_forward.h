// A forward pass without a model: the next token is a hash of those before it. It keeps
// the cache a model would have and refuses rows that do not continue it, so the engine's tests
// run in microseconds and its benchmarks see nothing but the engine.
#pragma once

#include "forward.h"
#include "token.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace jan {

struct null_options {
    kv_shape shape;
    int max_rows = 512;
    int max_outputs = 512;
    int n_vocab = 64;
    int n_memory = 0;     // tokens back that the next one depends on; 0 = all
    double pass_s = 0;    // how long a pass takes, slept away
    double row_s = 0;     // and each of its rows
    int fail_token = -1;  // a pass with this token fails
};

class null_forward final : public forward {
  public:
    explicit null_forward(const null_options & options);

    const kv_shape & shape() const override { return options_.shape; }
    int max_rows() const override { return options_.max_rows; }
    int max_outputs() const override { return options_.max_outputs; }
    int n_vocab() const override { return options_.n_vocab; }
    bool can_shift(int /*lane*/) override { return true; }

    pass_status run(const slice * slices, int n) override;
    const std::string & failure() const override { return failure_; }
    float * logits(int row) override { return &logits_[static_cast<size_t>(row * options_.n_vocab)]; }
    void apply(const lane_change & change) override;
    void abort() override { abort_ = true; }

    // What follows `tokens`.
    static token next(const std::vector<token> & tokens, int n_vocab, int n_memory = 0);

    int64_t n_cells() const { return n_cells_; }  // that hold something

  private:
    struct cell {
        cell(token t, uint64_t h, int64_t & count) : id(t), hash(h), n_cells(count) { ++n_cells; }
        ~cell() { --n_cells; }
        cell(const cell &) = delete;
        cell & operator=(const cell &) = delete;
        token id;
        uint64_t hash;  // of this token and all before it
        int64_t & n_cells;
    };
    using lane = std::vector<std::shared_ptr<cell>>;

    void add(lane & to, token id);
    token next_of(const lane & all) const;
    lane & at(int i) { return lanes_[static_cast<size_t>(i)]; }

    null_options options_;
    int64_t n_cells_ = 0;  // outlives the lanes, whose cells count themselves
    std::vector<lane> lanes_;
    std::vector<float> logits_;
    std::string failure_;
    std::atomic<bool> abort_{false};
};

}  // namespace jan
