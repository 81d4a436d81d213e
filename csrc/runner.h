// One sequence through a model, step by step: feed tokens, read the logits of the last one.
// The reference for whatever runs many.
#pragma once

#include "context.h"
#include "model.h"
#include "thread_pool.h"

#include "llama.h"

#include <atomic>
#include <memory>
#include <string>
#include <vector>

namespace jan {

struct runner_options {
    int n_ctx = 0;        // tokens; 0 = what the model was trained for
    int n_ubatch = 512;   // tokens per forward pass
    int n_threads = 0;    // 0 = default_n_threads()
    int n_positions = 0;  // rows of the model's table of positions; 0 = it has none
    std::string cache_type = "f16";
    int flash_attention = -1;  // -1: where the device has it; its kernels keep no more than f16
};

// Not thread-safe, apart from cancel(). Keeps its model alive.
class runner {
  public:
    // Throws unsupported_feature for a model that cannot generate, out_of_memory when the
    // context does not fit, bad_model_file when a first forward pass fails an assertion.
    runner(std::shared_ptr<const model> source, const runner_options & options);

    // Appends tokens and computes the logits of the last. On context_overflow and
    // invalid_argument nothing was appended; on cancelled and backend_failure the sequence is
    // undefined: call clear().
    void feed(const std::vector<token> & tokens);

    // The most likely next token; of equals, the one with the lowest id. Throws
    // invalid_argument before the first feed().
    token argmax() const;

    // What argmax() looks at: one number per token of the vocabulary. Throws as argmax().
    std::vector<float> logits() const;

    // Makes a running feed() stop after the graph node it is in. From any thread.
    void cancel() { cancel_ = true; }

    void clear();

    int n_past() const { return n_past_; }
    int n_ctx() const { return n_ctx_; }
    int n_threads() const { return pool_.n_threads(); }

  private:
    const float * last_row() const;

    std::shared_ptr<const model> model_;
    thread_pool pool_;  // outlives the context it is attached to
    std::atomic<bool> cancel_{false};
    context_handle context_;
    int n_vocab_;
    int n_ctx_;
    int n_past_ = 0;
};

}  // namespace jan
