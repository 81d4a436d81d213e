#include "adapter.h"

#include "abort_guard.h"
#include "context.h"
#include "error.h"
#include "log.h"
#include "trial.h"

#include <algorithm>
#include <atomic>
#include <cstring>

namespace jan {

namespace {

uint64_t next_id() {
    static std::atomic<uint64_t> last{0};
    return ++last;
}

// In a context of its own, which is gone when it returns.
void try_out(const model & of, const std::shared_ptr<const adapter> & tried) {
    llama_context_params params = llama_context_default_params();
    params.n_ctx = params.n_batch = params.n_ubatch = 8;
    params.n_threads = params.n_threads_batch = 1;
    params.no_perf = true;
    const context_handle context = open_context(of, params, "the adapter is tried in a context of its own");
    const auto set = make_adapter_set({{tried, 1.0f}});
    apply_adapters(context.get(), set.get());
    try_pass(of, context.get());
}

}  // namespace

adapter::adapter(std::shared_ptr<const model> of, llama_adapter_lora * handle)
    : model_(std::move(of)), handle_(handle), id_(next_id()) {}

adapter::~adapter() {
    const auto changing = model_->adapters_changing();
    llama_adapter_lora_free(handle_);
}

std::shared_ptr<const adapter> adapter::load(std::shared_ptr<const model> of, const std::string & path) {
    if (of->facts().vocab_only) {
        throw error(errc::unsupported_feature, "only the vocabulary of this model was loaded");
    }
    std::shared_ptr<const adapter> loaded;
    {
        const log_capture log;
        const abort_guard guard;
        const auto changing = of->adapters_changing();
        llama_adapter_lora * handle = llama_adapter_lora_init(of->handle(), path.c_str());
        if (!handle) {
            std::string reason = log.reason("upstream gave no reason");
            const std::string preamble = "failed to apply lora adapter: ";
            if (reason.compare(0, preamble.size(), preamble) == 0) {
                reason.erase(0, preamble.size());
            }
            throw error(log_capture::speaks_of_memory(reason) ? errc::out_of_memory : errc::bad_model_file,
                        reason);
        }
        loaded.reset(new adapter(of, handle));
    }
    if (llama_adapter_get_alora_n_invocation_tokens(loaded->handle()) > 0) {
        throw error(errc::unsupported_feature,
                    "this adapter applies only behind certain tokens (aLoRA), which is not supported");
    }
    try_out(*of, loaded);
    return loaded;
}

std::shared_ptr<const adapter_set> make_adapter_set(std::vector<scaled_adapter> adapters) {
    const auto is_off = [](const auto & one) { return one.second == 0.0f; };
    adapters.erase(std::remove_if(adapters.begin(), adapters.end(), is_off), adapters.end());
    if (adapters.empty()) {
        return nullptr;
    }
    std::sort(adapters.begin(), adapters.end(),
              [](const auto & a, const auto & b) { return a.first->id() < b.first->id(); });
    const auto made = std::make_shared<adapter_set>();
    for (const auto & [one, scale] : adapters) {
        uint32_t bits;
        std::memcpy(&bits, &scale, sizeof bits);
        made->key += std::to_string(one->id()) + ":" + std::to_string(bits) + ",";
    }
    made->adapters = std::move(adapters);
    return made;
}

void apply_adapters(llama_context * context, const adapter_set * set) {
    std::vector<llama_adapter_lora *> handles;
    std::vector<float> scales;
    if (set) {
        for (const auto & [one, scale] : set->adapters) {
            handles.push_back(one->handle());
            scales.push_back(scale);
        }
    }
    llama_set_adapters_lora(context, handles.data(), handles.size(), scales.data());
}

}  // namespace jan
