#include "model.h"

#include "abort_guard.h"
#include "backend.h"
#include "error.h"
#include "kernels/matrix_switch.h"
#include "log.h"

#include <cstdlib>

namespace jan {

namespace {

bool on_progress(float fraction, void * context) {
    auto * progress = static_cast<load_progress *>(context);
    progress->fraction.store(fraction, std::memory_order_relaxed);
    return !progress->cancel.load(std::memory_order_relaxed);
}

llama_load_mode load_mode_of(const load_options & options) {
    if (options.mmap) {
        return options.mlock ? LLAMA_LOAD_MODE_MMAP_MLOCK : LLAMA_LOAD_MODE_MMAP;
    }
    return options.mlock ? LLAMA_LOAD_MODE_MLOCK : LLAMA_LOAD_MODE_NONE;
}

// Loading asks, on this thread, who lays out a tensor.
class matrix_kernel_choice {
  public:
    explicit matrix_kernel_choice(bool ours) { jan_matrix_kernels_allow(ours); }
    ~matrix_kernel_choice() { jan_matrix_kernels_allow(true); }
    matrix_kernel_choice(const matrix_kernel_choice &) = delete;
};

// Upstream's "text by index" protocol: the result is the length whatever the room was.
template <class Call> std::string text_of(const Call & call) {
    const int32_t n = call(nullptr, 0);
    if (n < 0) {
        return {};
    }
    std::string out(static_cast<size_t>(n) + 1, '\0');
    call(out.data(), out.size());
    out.resize(static_cast<size_t>(n));
    return out;
}

}  // namespace

std::shared_ptr<model> model::load(const load_options & options, load_progress & progress) {
    require_backends();

    llama_model_params params = llama_model_default_params();
    params.load_mode = load_mode_of(options);
    params.n_gpu_layers = options.n_gpu_layers;
    params.check_tensors = options.check_tensors;
    params.vocab_only = options.vocab_only;
    params.use_extra_bufts = options.repack;
    params.progress_callback = on_progress;
    params.progress_callback_user_data = &progress;

    const log_capture log;
    const abort_guard guard;
    const matrix_kernel_choice choice(options.matrix_kernels);
    llama_model * handle = llama_model_load_from_file(options.path.c_str(), params);
    if (progress.cancel) {
        if (handle) {
            llama_model_free(handle);
        }
        throw error(errc::cancelled, "loading was cancelled");
    }
    if (!handle) {
        std::string reason = log.reason("upstream gave no reason");
        const std::string preamble = "error loading model: ";
        if (reason.compare(0, preamble.size(), preamble) == 0) {
            reason.erase(0, preamble.size());
        }
        throw error(log_capture::speaks_of_memory(reason) ? errc::out_of_memory : errc::bad_model_file,
                    reason);
    }
    progress.fraction = 1.0f;
    return std::shared_ptr<model>(new model(handle, options));
}

model::model(llama_model * handle, const load_options & options)
    : handle_(handle), vocab_only_(options.vocab_only),
      own_kernels_(options.matrix_kernels && options.repack), n_gpu_layers_(options.n_gpu_layers) {
    const llama_vocab * words = llama_model_get_vocab(handle);
    if (llama_vocab_type(words) != LLAMA_VOCAB_TYPE_NONE) {
        special_ = std::make_unique<special_tokens>(words);
    }
}

std::shared_lock<std::shared_mutex> model::adapters_still() const {
    const std::lock_guard<std::mutex> turn(adapters_turn_);
    return std::shared_lock<std::shared_mutex>(adapters_);
}

std::unique_lock<std::shared_mutex> model::adapters_changing() const {
    const std::lock_guard<std::mutex> turn(adapters_turn_);
    return std::unique_lock<std::shared_mutex>(adapters_);
}

model_facts model::facts() const {
    const llama_model * m = handle_.get();
    model_facts f{};
    f.description = text_of([&](char * out, size_t room) { return llama_model_desc(m, out, room); });
    f.file_type = llama_ftype_name(llama_model_ftype(m));
    f.n_params = llama_model_n_params(m);
    f.n_bytes = llama_model_size(m);
    f.vocab_only = vocab_only_;
    if (vocab_only_) {
        return f;  // upstream aborts when asked for the heads of a model without layers
    }
    f.n_ctx_train = llama_model_n_ctx_train(m);
    f.n_embd = llama_model_n_embd(m);
    f.n_layer = llama_model_n_layer(m);
    f.n_head = llama_model_n_head(m);
    f.n_head_kv = llama_model_n_head_kv(m);
    f.n_swa = llama_model_n_swa(m);
    f.has_encoder = llama_model_has_encoder(m);
    f.has_decoder = llama_model_has_decoder(m);
    f.is_recurrent = llama_model_is_recurrent(m);
    f.is_hybrid = llama_model_is_hybrid(m);
    f.is_diffusion = llama_model_is_diffusion(m);
    return f;
}

bool model::own_attention() const {
    const int n = jan_own_attention_numbers();
    if (!own_kernels_ || vocab_only_ || n == 0) {
        return false;
    }
    const auto value = [this](const std::string & key) {
        return text_of([&](char * out, size_t room) {
            return llama_model_meta_val_str(handle_.get(), key.c_str(), out, room);
        });
    };
    const std::string attention = value("general.architecture") + ".attention.";
    const int n_head = llama_model_n_head(handle_.get());
    const auto fits = [&](const char * key) {
        const int n_numbers = std::atoi(value(attention + key).c_str());
        return (n_numbers > 0 ? n_numbers : llama_model_n_embd(handle_.get()) / n_head) % n == 0;
    };
    return n_head > 0 && fits("key_length") && fits("value_length");
}

std::vector<std::pair<std::string, std::string>> model::metadata() const {
    const llama_model * m = handle_.get();
    std::vector<std::pair<std::string, std::string>> all;
    const int32_t n = llama_model_meta_count(m);
    all.reserve(static_cast<size_t>(n));
    for (int32_t i = 0; i < n; ++i) {
        all.emplace_back(
            text_of([&](char * out, size_t room) { return llama_model_meta_key_by_index(m, i, out, room); }),
            text_of(
                [&](char * out, size_t room) { return llama_model_meta_val_str_by_index(m, i, out, room); }));
    }
    return all;
}

bool model::has_chat_template(const std::string & name) const {
    return llama_model_chat_template(handle(), name.empty() ? nullptr : name.c_str()) != nullptr;
}

std::string model::chat_template(const std::string & name) const {
    const char * text = llama_model_chat_template(handle(), name.empty() ? nullptr : name.c_str());
    return text ? text : "";
}

}  // namespace jan
