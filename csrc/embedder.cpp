#include "embedder.h"

#include "context.h"
#include "error.h"
#include "log.h"
#include "processors.h"
#include "trial.h"

#include <algorithm>
#include <string>

namespace jan {

namespace {

constexpr int most_inputs = 64;  // in one forward pass
constexpr int most_ctx = 8192;   // by default: an input is computed in one pass, at once

}  // namespace

embedder::embedder(std::shared_ptr<const model> source, const embedder_options & options)
    : model_(std::move(source)),
      team_(checked_n_threads(options.n_threads), model_->own_kernels(), thread_pool::usual_poll, true),
      batch_{} {
    const model_facts facts = model_->facts();
    if (facts.vocab_only) {
        throw error(errc::unsupported_feature, "only the vocabulary of this model was loaded");
    }
    if (facts.has_encoder && facts.has_decoder) {
        throw error(errc::unsupported_feature, "a model of an encoder and a decoder gives no vectors");
    }
    if (options.n_ctx < 0 || options.pooling < -1 || options.pooling > 4) {
        throw error(errc::invalid_argument, "n_ctx or pooling is out of range");
    }
    n_ctx_ = options.n_ctx > 0 ? options.n_ctx : std::min(facts.n_ctx_train, most_ctx);
    if (options.n_positions > 0) {  // upstream aborts at the first one the table has not
        n_ctx_ = std::min(n_ctx_, options.n_positions);
    }
    llama_context_params params = llama_context_default_params();
    params.n_ctx = static_cast<uint32_t>(n_ctx_);
    params.n_batch = params.n_ubatch = static_cast<uint32_t>(n_ctx_);
    params.n_seq_max = most_inputs;
    params.n_threads = params.n_threads_batch = team_.most();
    params.embeddings = true;
    params.kv_unified = true;  // inputs of one pass may have any lengths
    params.no_perf = true;
    params.pooling_type = static_cast<enum llama_pooling_type>(options.pooling);

    const char * const advice = "a smaller n_ctx needs less memory";
    context_ = open_context(*model_, params, advice);
    if (llama_pooling_type(context_.get()) == LLAMA_POOLING_TYPE_NONE) {
        params.pooling_type = LLAMA_POOLING_TYPE_MEAN;
        context_.reset();  // before the next takes its memory
        context_ = open_context(*model_, params, advice);
    }
    if (pooling() == LLAMA_POOLING_TYPE_RANK && !options.can_rank) {  // upstream would read anything
        throw error(errc::unsupported_feature, "pooling: this model has no head to rank with");
    }
    team_.attach(context_.get());
    n_vocab_ = llama_vocab_n_tokens(llama_model_get_vocab(model_->handle()));
    n_out_ = pooling() == LLAMA_POOLING_TYPE_RANK ? static_cast<int>(llama_model_n_cls_out(model_->handle()))
                                                  : llama_model_n_embd_out(model_->handle());
    if (n_vocab_ == 0) {
        throw error(errc::unsupported_feature, "this model has no vocabulary");
    }
    try_out(*model_, context_.get());
    batch_ = llama_batch_init(n_ctx_, 0, 1);
}

embedder::~embedder() {
    if (batch_.token) {
        llama_batch_free(batch_);
    }
}

int embedder::pooling() const { return static_cast<int>(llama_pooling_type(context_.get())); }

void embedder::check(const std::vector<std::vector<token>> & inputs) const {
    for (size_t i = 0; i < inputs.size(); ++i) {
        const auto n = static_cast<int64_t>(inputs[i].size());
        const std::string name = "input[" + std::to_string(i) + "]: ";
        if (n == 0) {
            throw error(errc::invalid_argument, name + "there are no tokens");
        }
        if (n > n_ctx_) {
            throw error(errc::context_overflow, name + std::to_string(n) +
                                                    " tokens do not fit a context of " +
                                                    std::to_string(n_ctx_))
                .with("n_prompt", n)
                .with("n_ctx", n_ctx_);
        }
        for (const token id : inputs[i]) {
            if (id < 0 || id >= n_vocab_) {
                throw error(errc::invalid_argument,
                            name + "token id " + std::to_string(id) + " is outside the vocabulary")
                    .with("token", id);
            }
        }
    }
}

std::vector<std::vector<float>> embedder::embed(const std::vector<std::vector<token>> & inputs) {
    check(inputs);
    const std::lock_guard<std::mutex> lock(mutex_);
    std::vector<std::vector<float>> found;
    found.reserve(inputs.size());
    size_t next = 0;
    while (next < inputs.size()) {
        batch_.n_tokens = 0;
        int n_inputs = 0;
        while (next < inputs.size() && n_inputs < most_inputs &&
               batch_.n_tokens + static_cast<int>(inputs[next].size()) <= n_ctx_) {
            for (size_t i = 0; i < inputs[next].size(); ++i) {
                const int row = batch_.n_tokens++;
                batch_.token[row] = inputs[next][i];
                batch_.pos[row] = static_cast<llama_pos>(i);
                batch_.n_seq_id[row] = 1;
                batch_.seq_id[row][0] = n_inputs;
                batch_.logits[row] = 1;
            }
            ++n_inputs;
            ++next;
        }
        if (const llama_memory_t memory = llama_get_memory(context_.get())) {
            llama_memory_clear(memory, false);
        }
        const log_capture log;
        team_.begin(context_.get(), batch_.n_tokens, false);
        const int32_t status = decode_rows(*model_, context_.get(), batch_);
        team_.end();
        if (status != 0) {
            throw error(errc::backend_failure, log.reason("the forward pass failed"));
        }
        for (int i = 0; i < n_inputs; ++i) {
            const float * vector = llama_get_embeddings_seq(context_.get(), i);
            if (!vector) {
                throw error(errc::backend_failure, "the forward pass left no vector");
            }
            found.emplace_back(vector, vector + n_out_);
        }
    }
    return found;
}

}  // namespace jan
