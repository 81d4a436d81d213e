#include "request.h"

#include "error.h"

namespace jan {

void check(const request & ask, int n_ctx, int n_vocab) {
    const auto n_prompt = static_cast<int64_t>(ask.prompt.size());
    if (ask.prompt.empty()) {
        throw error(errc::invalid_argument, "prompt: there are no tokens to start from");
    }
    if (n_prompt > n_ctx) {
        throw error(errc::context_overflow, "a prompt of " + std::to_string(n_prompt) +
                                                " tokens does not fit a context of " + std::to_string(n_ctx))
            .with("n_prompt", n_prompt)
            .with("n_ctx", n_ctx);
    }
    for (const token id : ask.prompt) {
        if (id < 0 || id >= n_vocab) {
            throw error(errc::invalid_argument,
                        "prompt: token id " + std::to_string(id) + " is outside the vocabulary")
                .with("token", id);
        }
    }
    if (ask.max_tokens < -1 || ask.n_keep < 0) {
        throw error(errc::invalid_argument, "max_tokens and n_keep: must not be negative");
    }
    for (const token id : ask.shown) {
        if (id < 0 || id >= n_vocab) {
            throw error(errc::invalid_argument,
                        "shown_tokens: token id " + std::to_string(id) + " is outside the vocabulary")
                .with("token", id);
        }
    }
    if (ask.rules) {
        check(*ask.rules, n_vocab);
    }
    if (ask.n_indent < 0) {
        throw error(errc::invalid_argument, "n_indent: must not be negative");
    }
    if (ask.n_top < -1 || ask.n_top > n_vocab) {
        throw error(errc::invalid_argument,
                    "logprobs: must be between 0 and the vocabulary's " + std::to_string(n_vocab));
    }
    if (ask.prompt_top < -1 || ask.prompt_top > n_vocab) {
        throw error(errc::invalid_argument,
                    "prompt_logprobs: must be between 0 and the vocabulary's " + std::to_string(n_vocab));
    }
    if (ask.prompt_top_from < 0 || ask.prompt_top_from > n_prompt) {
        throw error(errc::invalid_argument, "prompt_logprobs_from: must be between 0 and the prompt's " +
                                                std::to_string(n_prompt) + " tokens");
    }
    if ((n_prompt - ask.prompt_top_from) * (int64_t{ask.prompt_top} + 1) > max_prompt_logprobs) {
        throw error(errc::invalid_argument,
                    "prompt_logprobs: more than " + std::to_string(max_prompt_logprobs) + " for this prompt");
    }
}

}  // namespace jan
