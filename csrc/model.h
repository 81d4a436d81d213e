// A loaded model file: weights, metadata, vocabulary. Immutable after load, so every const
// function may be called from any thread.
#pragma once

#include "special_tokens.h"
#include "vocab.h"

#include "llama.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <utility>
#include <vector>

namespace jan {

struct load_options {
    std::string path;
    bool mmap = true;
    bool mlock = false;
    bool check_tensors = false;  // read every weight once and refuse NaN and infinity
    bool vocab_only = false;     // tokenise only; no weights are read
    bool repack = true;          // let the CPU backend rearrange weights for its kernels
    bool matrix_kernels = true;  // and those be our own where we have any: csrc/kernels
    int n_gpu_layers = -1;       // -1 = all that a device takes
};

// Shared between the thread that loads and a thread that watches.
struct load_progress {
    std::atomic<float> fraction{0.0f};
    std::atomic<bool> cancel{false};
};

struct model_facts {
    std::string description;  // "llama 1B Q4_K - Medium"
    std::string file_type;    // "Q4_K - Medium"
    uint64_t n_params;
    uint64_t n_bytes;  // of all tensors
    bool vocab_only;   // everything below is then 0 or false
    int n_ctx_train, n_embd, n_layer, n_head, n_head_kv;
    int n_swa;  // sliding window in tokens, 0 = none
    bool has_encoder, has_decoder, is_recurrent, is_hybrid, is_diffusion;
};

class model {
  public:
    // Blocks until loaded. Throws cancelled, bad_model_file or out_of_memory; nothing stays
    // loaded then. The header must have been checked before (jan_engine/gguf): upstream's
    // reader is not made for hostile files.
    static std::shared_ptr<model> load(const load_options & options, load_progress & progress);

    model_facts facts() const;
    std::vector<std::pair<std::string, std::string>> metadata() const;  // arrays come shortened
    bool has_chat_template(const std::string & name) const;             // "" = the default one
    std::string chat_template(const std::string & name) const;

    class vocab vocab() const { return jan::vocab(llama_model_get_vocab(handle_.get()), special_.get()); }

    llama_model * handle() const { return handle_.get(); }

    // Upstream keeps a list of a model's adapters and reads it when it sizes a context's graphs, which
    // may be in any pass. Whoever runs one holds the first; whoever loads or frees an adapter the other,
    // and waits for passes in progress, while no further one begins.
    std::shared_lock<std::shared_mutex> adapters_still() const;
    std::unique_lock<std::shared_mutex> adapters_changing() const;

    // Whether csrc/kernels may compute with it, where it can; and whether it can compute its attention.
    bool own_kernels() const { return own_kernels_; }
    bool own_attention() const;

    int n_gpu_layers() const { return n_gpu_layers_; }  // as load_options has it

    // Whether a forward pass has succeeded with that attention kernel; see trial.h.
    bool was_tried_out(bool flash) const { return tried_out_[flash]; }
    void note_tried_out(bool flash) const { tried_out_[flash] = true; }

  private:
    struct deleter {
        void operator()(llama_model * m) const { llama_model_free(m); }
    };

    model(llama_model * handle, const load_options & options);

    std::unique_ptr<llama_model, deleter> handle_;
    std::unique_ptr<const special_tokens> special_;  // null without a vocabulary
    bool vocab_only_;
    bool own_kernels_;
    int n_gpu_layers_;
    mutable std::atomic<bool> tried_out_[2]{};
    mutable std::mutex adapters_turn_;  // taken on the way to the next, so that nobody waits for ever
    mutable std::shared_mutex adapters_;
};

}  // namespace jan
