// A model's forward passes without an engine around them: timed, with random tokens, as llama-bench
// and llama-batched-bench do, or over a text whose logits somebody reads.
#pragma once

#include "context.h"
#include "model.h"
#include "thread_pool.h"

#include "llama.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace jan {

struct gauge_options {
    int n_ctx = 0;        // tokens of each stream
    int n_streams = 1;    // at the same time
    int n_batch = 2048;   // rows that upstream is handed at once
    int n_ubatch = 512;   // of these, in one pass
    int n_wanted = 0;     // rows of one pass whose logits feed() may leave; 0 = none
    int n_threads = 0;    // 0 = default_n_threads()
    int n_positions = 0;  // rows of the model's table of positions; 0 = it has none
    int poll = thread_pool::usual_poll;
    uint32_t seed = 1;  // of the tokens
    std::string cache_type_k = "f16";
    std::string cache_type_v = "f16";
    int flash_attention = -1;  // -1: where the device has it
    bool unified = false;      // one cache for all streams
};

struct pass_times {
    int64_t prompt_ns = 0;
    int64_t decode_ns = 0;
};

// For one thread at a time. Keeps its model alive.
class gauge {
  public:
    // Throws invalid_argument, unsupported_feature for a model that does not generate,
    // context_overflow for more than its table of positions has, out_of_memory and bad_model_file.
    gauge(std::shared_ptr<const model> source, const gauge_options & options);
    ~gauge();
    gauge(const gauge &) = delete;
    gauge & operator=(const gauge &) = delete;

    // From an empty cache: n_depth tokens in each stream, untimed and computed once for as long as
    // n_depth is the same; then n_prompt tokens in each; then n_gen times one. Throws
    // invalid_argument, context_overflow, cancelled and backend_failure; any other call may follow.
    pass_times time(int n_depth, int n_prompt, int n_gen, const std::atomic<bool> & cancel);

    // Begins a text.
    void forget();

    // The text's next n tokens, no more than n_ubatch, in one pass. The last n_wanted of them leave
    // logits. Throws as time().
    void feed(const token * tokens, int n, int n_wanted, const std::atomic<bool> & cancel);

    // Of the last feed(): its wanted rows one after the other, n_vocab() each, until the next call.
    const float * logits();

    int n_vocab() const { return n_vocab_; }
    int n_ubatch() const { return n_ubatch_; }
    int n_threads() const { return pool_.n_threads(); }
    bool flash() const { return flash_; }  // the kernel that options left open, too

  private:
    void go_to_depth(int n);
    void read(int n);
    void decode(int n);
    void add(token id, int position, int stream, bool wanted);
    token any_token();
    void pass();

    std::shared_ptr<const model> model_;
    thread_pool pool_;  // outlives the context it is attached to
    std::atomic<const std::atomic<bool> *> cancel_{nullptr};
    context_handle context_;
    llama_batch batch_;
    std::minstd_rand random_;
    int n_ctx_;
    int n_streams_;
    int n_batch_;
    int n_ubatch_;
    int n_wanted_;
    int n_vocab_;
    bool flash_ = false;
    int n_past_ = 0;  // tokens in each stream
    int depth_ = 0;   // of what saved_ holds
    std::vector<uint8_t> saved_;
};

}  // namespace jan
