#include "weight_use.h"

#include "context.h"
#include "error.h"
#include "trial.h"

#include "ggml-backend.h"
#include "llama.h"

#include <unordered_map>
#include <utility>

namespace jan {

namespace {

// What the scheduler tells of every node of a graph before it is computed.
class observer {
  public:
    static bool saw(ggml_tensor * node, bool asks, void * context) {
        if (asks) {
            for (const ggml_tensor * source : node->src) {
                if (source) {
                    static_cast<observer *>(context)->note(node, source);
                }
            }
        }
        return !asks;  // nobody wants its result; whoever is told of one goes on
    }

    std::vector<weight_use> found;

  private:
    void note(const ggml_tensor * node, const ggml_tensor * source) {
        const ggml_tensor * weight = source->view_src ? source->view_src : source;
        if (!weight->buffer ||
            ggml_backend_buffer_get_usage(weight->buffer) != GGML_BACKEND_BUFFER_USAGE_WEIGHTS) {
            return;
        }
        const bool multiplied =
            source == node->src[0] && (node->op == GGML_OP_MUL_MAT || node->op == GGML_OP_MUL_MAT_ID);
        const auto [at, is_new] = index_.emplace(weight, found.size());
        if (is_new) {
            found.push_back(describe(weight));
        }
        weight_use & use = found[at->second];
        if (is_new || (multiplied && !use.is_multiplied)) {
            use.operation = ggml_op_name(node->op);
            use.is_multiplied = multiplied;
        }
    }

    static weight_use describe(const ggml_tensor * weight) {
        const ggml_backend_buffer_type_t buffer = ggml_backend_buffer_get_type(weight->buffer);
        const ggml_backend_dev_t device = ggml_backend_buft_get_device(buffer);
        weight_use use{};
        use.name = weight->name;
        use.type = ggml_type_name(weight->type);
        use.buffer = ggml_backend_buft_name(buffer);
        use.n_bytes = ggml_nbytes(weight);
        use.is_as_stored = ggml_backend_buft_is_host(buffer);
        use.on_processor =
            use.is_as_stored || !device || ggml_backend_dev_type(device) == GGML_BACKEND_DEVICE_TYPE_CPU;
        return use;
    }

    std::unordered_map<const ggml_tensor *, size_t> index_;
};

}  // namespace

std::vector<weight_use> uses_of_weights(const model & source) {
    const model_facts facts = source.facts();
    if (facts.vocab_only) {
        throw error(errc::unsupported_feature, "only the vocabulary of this model was loaded");
    }
    if (facts.has_encoder && facts.has_decoder) {
        throw error(errc::unsupported_feature, "a model of an encoder and a decoder is not run here");
    }
    observer watching;
    llama_context_params params = llama_context_default_params();
    params.n_ctx = 32;
    params.n_batch = params.n_ubatch = 32;
    params.no_perf = true;
    params.cb_eval = observer::saw;
    params.cb_eval_user_data = &watching;

    const context_handle context = open_context(source, params, "");
    try_pass(source, context.get());
    return std::move(watching.found);
}

}  // namespace jan
