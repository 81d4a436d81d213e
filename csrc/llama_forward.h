// The forward pass through llama.cpp. The only file that runs batches of many sequences.
#pragma once

#include "adapter_set.h"
#include "cache_plan.h"
#include "context.h"
#include "forward.h"
#include "model.h"
#include "workers/worker_team.h"

#include "llama.h"

#include <atomic>
#include <memory>
#include <string>
#include <vector>

namespace jan {

struct forward_options {
    int n_lanes = 8;            // sequences at the same time
    int n_ctx = 0;              // tokens of the longest sequence; 0 = what the model was trained for
    int n_positions = 0;        // rows of the model's table of positions, a limit to n_ctx; 0 = no table
    int n_cached_numbers = 0;   // that a token leaves in the cache; 0 = by the model's facts
    int64_t n_cells = 0;        // of the whole cache; 0 = n_lanes * n_ctx, or what free memory allows
    int max_rows = 512;         // of one pass
    int n_threads = 0;          // workers at most; 0 = one per physical core
    bool adapt_threads = true;  // fewer workers while neighbours want the cores
    int poll = thread_pool::usual_poll;
    int kv_mode = -1;                // a kv_mode, or -1: chosen by the machine and n_lanes
    std::string cache_type = "f16";  // of the cache: f16, bf16, f32, q8_0, q4_0 and others
    int flash_attention = -1;        // 0 plain products, 1 the flash kernel, -1 as cache_plan says
};

class llama_forward final : public forward {
  public:
    // What the constructor would make of these. Throws invalid_argument, unsupported_feature for a
    // model that does not generate, and out_of_memory when the cache does not fit.
    static cache_plan plan(const model & source, const forward_options & options);

    // Throws what plan() throws, and what the context's creation and first pass throw. Those that share
    // workers run one at a time; without any it makes its own.
    llama_forward(std::shared_ptr<const model> source, const forward_options & options,
                  std::shared_ptr<worker_team> team = nullptr);
    ~llama_forward() override;

    const kv_shape & shape() const override { return shape_; }
    int max_rows() const override { return max_rows_; }
    int max_outputs() const override { return max_outputs_; }
    int n_vocab() const override { return n_vocab_; }
    bool can_shift(int lane) override;
    int n_threads() const { return team_->most(); }
    int n_workers() const override { return team_->n_last(); }

    pass_status run(const slice * slices, int n) override;
    const std::string & failure() const override { return failure_; }
    float * logits(int row) override;
    void apply(const lane_change & change) override;
    int least_prefix(int lane) override;
    void abort() override { abort_ = true; }

  private:
    void copy_lane(int from, int to, int n);
    void swap_lanes(int a, int b);
    void save_lane(int lane, std::vector<uint8_t> & into);
    void restore_lane(int lane, const std::vector<uint8_t> & from);

    std::shared_ptr<const model> model_;
    std::shared_ptr<worker_team> team_;  // outlives the context it is attached to
    std::atomic<bool> abort_{false};
    std::shared_ptr<const adapter_set> adapters_;  // that the context computes with
    context_handle context_;
    llama_memory_t memory_ = nullptr;
    kv_shape shape_;
    bool adapts_;
    bool sums_alike_ = false;  // for any number of workers
    int max_rows_;
    int max_outputs_;
    int n_vocab_;
    llama_batch batch_;
    // Upstream moves a lane's cells, or turns their keys, only in the next pass; until then what
    // the state functions would read is not what the lane holds.
    bool unsettled_ = false;
    float * logits_ = nullptr;
    std::string failure_;
    std::vector<uint8_t> saved_;  // a lane on its way to another
    std::vector<uint8_t> saved_too_;
};

}  // namespace jan
