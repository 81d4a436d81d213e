#include "gauge.h"

#include "cache_type.h"
#include "context.h"
#include "error.h"
#include "log.h"
#include "processors.h"
#include "trial.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string>
#include <utility>

namespace jan {

namespace {

using clock_type = std::chrono::steady_clock;

int64_t ns_between(clock_type::time_point begin, clock_type::time_point end) {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(end - begin).count();
}

bool is_cancelled(void * watched) {
    const auto * flag =
        static_cast<std::atomic<const std::atomic<bool> *> *>(watched)->load(std::memory_order_relaxed);
    return flag && flag->load(std::memory_order_relaxed);
}

// While it lives, passes look at the caller's flag.
class watch {
  public:
    watch(std::atomic<const std::atomic<bool> *> & slot, const std::atomic<bool> & flag) : slot_(slot) {
        slot_ = &flag;
    }
    ~watch() { slot_ = nullptr; }
    watch(const watch &) = delete;
    watch & operator=(const watch &) = delete;

  private:
    std::atomic<const std::atomic<bool> *> & slot_;
};

void require(bool condition, const char * what) {
    if (!condition) {
        throw error(errc::invalid_argument, what);
    }
}

void check(const model_facts & facts, const gauge_options & options) {
    if (facts.vocab_only) {
        throw error(errc::unsupported_feature, "only the vocabulary of this model was loaded");
    }
    if (!facts.has_decoder || facts.has_encoder || facts.is_diffusion) {
        throw error(errc::unsupported_feature, "this model does not generate text token by token");
    }
    require(options.n_ctx > 0 && options.n_ctx <= 1 << 24, "n_ctx must be between 1 and 16777216");
    require(options.n_streams > 0 && static_cast<size_t>(options.n_streams) <= llama_max_parallel_sequences(),
            "n_streams must be between 1 and 256");
    require(static_cast<int64_t>(options.n_ctx) * options.n_streams <= INT32_MAX,
            "n_streams of n_ctx tokens each are more than can be counted");
    require(options.n_batch > 0 && options.n_batch <= 1 << 16, "n_batch must be between 1 and 65536");
    require(options.n_ubatch > 0 && options.n_ubatch <= 1 << 16, "n_ubatch must be between 1 and 65536");
    require(options.n_wanted >= 0 && options.n_wanted <= options.n_ubatch,
            "n_wanted must be between 0 and n_ubatch");
    require(options.poll >= 0 && options.poll <= 100, "poll must be between 0 and 100");
    if (options.n_positions > 0 && options.n_ctx > options.n_positions) {
        throw error(errc::context_overflow, "the model has positions for " +
                                                std::to_string(options.n_positions) + " tokens, not for " +
                                                std::to_string(options.n_ctx))
            .with("n_prompt", options.n_ctx)
            .with("n_ctx", options.n_positions);
    }
}

}  // namespace

gauge::gauge(std::shared_ptr<const model> source, const gauge_options & options)
    : model_(std::move(source)),
      pool_(checked_n_threads(options.n_threads), model_->own_kernels(), options.poll), batch_{},
      random_(options.seed), n_ctx_(options.n_ctx), n_streams_(options.n_streams),
      n_batch_(std::max(options.n_batch, options.n_streams)), n_ubatch_(options.n_ubatch),
      n_wanted_(options.n_wanted), n_vocab_(llama_vocab_n_tokens(llama_model_get_vocab(model_->handle()))) {
    check(model_->facts(), options);
    if (n_vocab_ == 0) {
        throw error(errc::unsupported_feature, "this model has no vocabulary");
    }
    llama_context_params params = llama_context_default_params();
    params.n_ctx = static_cast<uint32_t>(n_ctx_) * static_cast<uint32_t>(n_streams_);
    params.n_batch = static_cast<uint32_t>(n_batch_);
    params.n_ubatch = static_cast<uint32_t>(n_ubatch_);
    params.n_seq_max = static_cast<uint32_t>(n_streams_);
    params.n_outputs_max = static_cast<uint32_t>(std::max(n_streams_, n_wanted_));
    params.n_threads = params.n_threads_batch = pool_.n_threads();
    params.no_perf = true;
    params.swa_full = false;  // as upstream's programs; nothing here goes back in a text
    params.kv_unified = options.unified;
    params.flash_attn_type = static_cast<llama_flash_attn_type>(options.flash_attention);
    params.type_k = cache_type(options.cache_type_k);
    params.type_v = cache_type(options.cache_type_v);
    params.abort_callback = is_cancelled;
    params.abort_callback_data = &cancel_;

    context_ = open_context(*model_, params, "fewer streams or tokens need less memory", &flash_);
    if (!llama_get_memory(context_.get())) {
        throw error(errc::unsupported_feature, "this model computes embeddings, it does not generate text");
    }
    llama_attach_threadpool(context_.get(), pool_.handle(), pool_.handle());
    try_out(*model_, context_.get(), options.flash_attention != 0);
    batch_ = llama_batch_init(std::max(n_batch_, n_ubatch_), 0, 1);
}

gauge::~gauge() {
    if (batch_.token) {
        llama_batch_free(batch_);
    }
}

pass_times gauge::time(int n_depth, int n_prompt, int n_gen, const std::atomic<bool> & cancel) {
    require(n_depth >= 0 && n_prompt >= 0 && n_gen >= 0, "a number of tokens must not be negative");
    const int64_t n = static_cast<int64_t>(n_depth) + n_prompt + n_gen;
    if (n > n_ctx_) {
        throw error(errc::context_overflow,
                    std::to_string(n) + " tokens do not fit a context of " + std::to_string(n_ctx_))
            .with("n_prompt", n)
            .with("n_ctx", n_ctx_);
    }
    const watch watching(cancel_, cancel);
    go_to_depth(n_depth);
    const auto begin = clock_type::now();
    read(n_prompt);
    const auto between = clock_type::now();
    decode(n_gen);
    const auto end = clock_type::now();
    return {ns_between(begin, between), ns_between(between, end)};
}

// Every stream is as the first: so its state is what the others need too.
void gauge::go_to_depth(int n) {
    forget();
    if (n == 0) {
        return;
    }
    if (n != depth_) {
        depth_ = 0;
        const int n_streams = std::exchange(n_streams_, 1);
        try {
            read(n);
        } catch (...) {
            n_streams_ = n_streams;
            throw;
        }
        n_streams_ = n_streams;
        saved_.resize(llama_state_seq_get_size(context_.get(), 0));
        saved_.resize(llama_state_seq_get_data(context_.get(), saved_.data(), saved_.size(), 0));
        if (saved_.empty()) {
            throw error(errc::backend_failure, "the cache could not be read");
        }
        depth_ = n;
        forget();
    }
    for (int stream = 0; stream < n_streams_; ++stream) {
        if (llama_state_seq_set_data(context_.get(), saved_.data(), saved_.size(), stream) == 0) {
            throw error(errc::backend_failure, "the cache could not be written");
        }
    }
    n_past_ = n;
}

void gauge::read(int n) {
    batch_.n_tokens = 0;
    for (int stream = 0; stream < n_streams_; ++stream) {
        for (int i = 0; i < n; ++i) {
            // llama-bench has the logits of each batch's last row, llama-batched-bench of each prompt's.
            const bool fills = n_streams_ == 1 && batch_.n_tokens == n_batch_ - 1;
            add(any_token(), n_past_ + i, stream, i == n - 1 || fills);
            if (batch_.n_tokens == n_batch_) {
                pass();
            }
        }
    }
    if (batch_.n_tokens > 0) {
        pass();
    }
    if (n > 0) {
        llama_synchronize(context_.get());
    }
    n_past_ += n;
}

void gauge::decode(int n) {
    for (int i = 0; i < n; ++i) {
        for (int stream = 0; stream < n_streams_; ++stream) {
            add(any_token(), n_past_, stream, true);
        }
        pass();
        llama_synchronize(context_.get());
        ++n_past_;
    }
}

void gauge::forget() {
    llama_memory_clear(llama_get_memory(context_.get()), false);
    batch_.n_tokens = 0;
    n_past_ = 0;
}

void gauge::feed(const token * tokens, int n, int n_wanted, const std::atomic<bool> & cancel) {
    require(n > 0 && n <= std::min(n_ubatch_, n_batch_) && n_wanted >= 0 &&
                n_wanted <= std::min(n, n_wanted_),
            "more tokens than a pass has rows");
    require(n_past_ + n <= n_ctx_, "more tokens than the context has");
    const watch watching(cancel_, cancel);
    batch_.n_tokens = 0;
    for (int i = 0; i < n; ++i) {
        require(tokens[i] >= 0 && tokens[i] < n_vocab_, "a token is outside the vocabulary");
        add(tokens[i], n_past_ + i, 0, i >= n - n_wanted);
    }
    pass();
    n_past_ += n;
}

const float * gauge::logits() { return llama_get_logits(context_.get()); }

void gauge::add(token id, int position, int stream, bool wanted) {
    const int row = batch_.n_tokens++;
    batch_.token[row] = id;
    batch_.pos[row] = position;
    batch_.n_seq_id[row] = 1;
    batch_.seq_id[row][0] = stream;
    batch_.logits[row] = wanted;
}

token gauge::any_token() { return std::uniform_int_distribution<token>(0, n_vocab_ - 1)(random_); }

void gauge::pass() {
    if (is_cancelled(&cancel_)) {  // devices that are no processor do not ask
        throw error(errc::cancelled, "the forward pass was cancelled");
    }
    const log_capture log;
    const int status = decode_rows(*model_, context_.get(), batch_);
    batch_.n_tokens = 0;
    switch (status) {
        case 0: return;
        case 1: throw error(errc::backend_failure, log.reason("the cache is full"));
        case 2: throw error(errc::cancelled, "the forward pass was cancelled");
        default: throw error(errc::backend_failure, log.reason("the forward pass failed"));
    }
}

}  // namespace jan
