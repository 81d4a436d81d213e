// reference_greedy BACKEND MODEL N TOKEN...: prints the N most likely next tokens, one by one.
// Written against llama.h alone, after upstream's simple example: what the engine is held to.
#include "ggml-backend.h"
#include "llama.h"

#include <cstdio>
#include <cstdlib>
#include <vector>

int main(int argc, char ** argv) {
    if (argc < 5) {
        std::fprintf(stderr, "usage: reference_greedy BACKEND MODEL N TOKEN...\n");
        return 2;
    }
    llama_log_set([](ggml_log_level, const char *, void *) {}, nullptr);
    if (!ggml_backend_load(argv[1])) {
        std::fprintf(stderr, "cannot load backend %s\n", argv[1]);
        return 1;
    }
    llama_model * model = llama_model_load_from_file(argv[2], llama_model_default_params());
    if (!model) {
        std::fprintf(stderr, "cannot load model %s\n", argv[2]);
        return 1;
    }
    const llama_vocab * vocab = llama_model_get_vocab(model);
    std::vector<llama_token> tokens;
    for (int i = 4; i < argc; ++i) {
        tokens.push_back(std::atoi(argv[i]));
    }
    llama_context_params params = llama_context_default_params();
    params.n_ctx = 1024;
    params.n_batch = 1024;
    params.n_threads = params.n_threads_batch = 1;
    llama_context * context = llama_init_from_model(model, params);

    llama_batch batch = llama_batch_get_one(tokens.data(), static_cast<int32_t>(tokens.size()));
    llama_token next = 0;
    for (int i = 0; i < std::atoi(argv[3]); ++i) {
        if (llama_decode(context, batch) != 0) {
            std::fprintf(stderr, "llama_decode failed\n");
            return 1;
        }
        const float * logits = llama_get_logits_ith(context, -1);
        next = 0;
        for (llama_token id = 1; id < llama_vocab_n_tokens(vocab); ++id) {
            if (logits[id] > logits[next]) {
                next = id;
            }
        }
        if (llama_vocab_is_eog(vocab, next)) {
            break;
        }
        std::printf("%d ", next);
        batch = llama_batch_get_one(&next, 1);
    }
    llama_free(context);
    llama_model_free(model);
    return 0;
}
