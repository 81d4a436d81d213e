#include "runner.h"

#include "cache_type.h"
#include "context.h"
#include "error.h"
#include "log.h"
#include "processors.h"
#include "trial.h"

#include <algorithm>
#include <string>

namespace jan {

namespace {

bool is_cancelled(void * flag) {
    return static_cast<std::atomic<bool> *>(flag)->load(std::memory_order_relaxed);
}

}  // namespace

runner::runner(std::shared_ptr<const model> source, const runner_options & options)
    : model_(std::move(source)), pool_(checked_n_threads(options.n_threads), model_->own_kernels()) {
    const model_facts facts = model_->facts();
    if (facts.vocab_only) {
        throw error(errc::unsupported_feature, "only the vocabulary of this model was loaded");
    }
    if (!facts.has_decoder || facts.has_encoder || facts.is_diffusion) {
        throw error(errc::unsupported_feature, "this model does not generate text token by token");
    }
    if (options.n_ctx < 0 || options.n_ubatch <= 0) {
        throw error(errc::invalid_argument, "n_ctx must not be negative and n_ubatch must be positive");
    }
    llama_context_params params = llama_context_default_params();
    params.n_ctx = static_cast<uint32_t>(options.n_ctx);
    params.n_batch = static_cast<uint32_t>(options.n_ubatch);  // one call, one forward pass
    params.n_ubatch = static_cast<uint32_t>(options.n_ubatch);
    params.n_outputs_max = 1;
    params.n_threads = pool_.n_threads();
    params.n_threads_batch = pool_.n_threads();
    params.no_perf = true;
    params.flash_attn_type = static_cast<llama_flash_attn_type>(options.flash_attention);
    params.type_k = params.type_v = cache_type(options.cache_type);
    params.abort_callback = is_cancelled;
    params.abort_callback_data = &cancel_;

    context_ = open_context(*model_, params, "a smaller n_ctx needs less memory");
    if (!llama_get_memory(context_.get())) {
        throw error(errc::unsupported_feature, "this model computes embeddings, it does not generate text");
    }
    llama_attach_threadpool(context_.get(), pool_.handle(), pool_.handle());
    // Upstream rounds up, warns of more than the model was trained for, and aborts at the first
    // position that a table has no row for.
    n_ctx_ = static_cast<int>(llama_n_ctx(context_.get()));
    if (options.n_positions > 0) {
        n_ctx_ = std::min(n_ctx_, options.n_positions);
    }
    n_vocab_ = llama_vocab_n_tokens(llama_model_get_vocab(model_->handle()));
    if (n_vocab_ > 0) {  // otherwise nothing can ever be fed
        try_out(*model_, context_.get());
    }
}

void runner::feed(const std::vector<token> & tokens) {
    if (tokens.empty()) {
        throw error(errc::invalid_argument, "there are no tokens to feed");
    }
    if (n_past_ + static_cast<int64_t>(tokens.size()) > n_ctx()) {
        throw error(errc::context_overflow, std::to_string(n_past_ + tokens.size()) +
                                                " tokens do not fit a context of " + std::to_string(n_ctx()))
            .with("n_prompt", static_cast<int64_t>(n_past_ + tokens.size()))
            .with("n_ctx", n_ctx());
    }
    for (const token id : tokens) {
        if (id < 0 || id >= n_vocab_) {
            throw error(errc::invalid_argument,
                        "token id " + std::to_string(id) + " is outside the vocabulary")
                .with("token", id);
        }
    }
    cancel_ = false;
    std::vector<token> row(tokens);  // upstream takes a mutable pointer
    const auto n_batch = static_cast<size_t>(llama_n_batch(context_.get()));
    for (size_t done = 0; done < row.size(); done += n_batch) {
        const auto n = static_cast<int32_t>(std::min(n_batch, row.size() - done));
        const log_capture log;
        switch (decode_rows(*model_, context_.get(), llama_batch_get_one(row.data() + done, n))) {
            case 0: break;
            case 2: throw error(errc::cancelled, "the forward pass was cancelled");
            default: throw error(errc::backend_failure, log.reason("the forward pass failed"));
        }
        n_past_ += n;
    }
}

const float * runner::last_row() const {
    if (n_past_ == 0) {
        throw error(errc::invalid_argument, "nothing was fed yet, so there is no next token");
    }
    const float * logits = llama_get_logits_ith(context_.get(), -1);
    if (!logits) {
        throw error(errc::backend_failure, "the forward pass left no logits");
    }
    return logits;
}

token runner::argmax() const {
    const float * row = last_row();
    return static_cast<token>(std::max_element(row, row + n_vocab_) - row);
}

std::vector<float> runner::logits() const {
    const float * row = last_row();
    return {row, row + n_vocab_};
}

void runner::clear() {
    llama_memory_clear(llama_get_memory(context_.get()), false);
    n_past_ = 0;
}

}  // namespace jan
