// Vectors of texts, on a context of its own: generation shares weights with it and nothing else.
#pragma once

#include "context.h"
#include "model.h"
#include "token.h"
#include "workers/worker_team.h"

#include "llama.h"

#include <memory>
#include <mutex>
#include <vector>

namespace jan {

struct embedder_options {
    int n_ctx = 0;          // tokens of the longest input; 0 = what the model was trained for, up to 8192
    int n_positions = 0;    // rows of the model's table of positions, a limit to n_ctx; 0 = no table
    bool can_rank = false;  // whether the model has the head that pooling by rank reads
    int n_threads = 0;      // 0 = one per physical core
    int pooling = -1;       // -1: what the file says, or the mean; otherwise 1 mean, 2 first, 3 last, 4 rank
};

// Any thread may call; one call runs at a time.
class embedder {
  public:
    // Throws invalid_argument, unsupported_feature and out_of_memory.
    embedder(std::shared_ptr<const model> source, const embedder_options & options);
    ~embedder();

    // One vector per input, as the model gives it (not normalised); with rank pooling its scores.
    // Throws context_overflow for an input longer than n_ctx, and invalid_argument for an empty
    // one, before anything is computed.
    std::vector<std::vector<float>> embed(const std::vector<std::vector<token>> & inputs);

    int n_ctx() const { return n_ctx_; }
    int n_out() const { return n_out_; }  // numbers per vector
    int pooling() const;

  private:
    void check(const std::vector<std::vector<token>> & inputs) const;

    std::shared_ptr<const model> model_;
    worker_team team_;  // outlives the context it is attached to
    std::mutex mutex_;  // over the context and the batch
    context_handle context_;
    llama_batch batch_;
    int n_ctx_;
    int n_out_;
    int n_vocab_;
};

}  // namespace jan
