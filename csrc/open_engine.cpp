#include "open_engine.h"

#include "sampling/llama_chain.h"

#include <algorithm>
#include <string>

namespace jan {

namespace {

constexpr int max_row_threads = 8;  // more only wait for memory

}  // namespace

std::unique_ptr<engine> open_engine(std::shared_ptr<const model> source, const forward_options & options,
                                    const engine_options & running) {
    auto pieces = source->vocab().pieces();
    auto chains = std::make_unique<llama_chain_source>(llama_model_get_vocab(source->handle()));
    auto through = std::make_unique<llama_forward>(std::move(source), options);  // keeps the vocabulary
    engine_options with_threads = running;
    with_threads.n_row_threads = std::min(max_row_threads, through->n_threads());
    return std::make_unique<engine>(std::move(through), std::move(pieces), with_threads, std::move(chains));
}

std::unique_ptr<engine> open_null_engine(const null_options & options, const engine_options & running) {
    auto pieces = std::make_shared<piece_table>();
    for (int i = 0; i < options.n_vocab; ++i) {
        pieces->add(std::string(1, static_cast<char>('a' + i % 26)), false);
    }
    return std::make_unique<engine>(std::make_unique<null_forward>(options), std::move(pieces), running);
}

}  // namespace jan
