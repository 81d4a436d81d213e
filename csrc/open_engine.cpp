#include "open_engine.h"

#include <string>

namespace jan {

std::unique_ptr<engine> open_engine(std::shared_ptr<const model> source, const forward_options & options,
                                    const engine_options & running) {
    auto pieces = source->vocab().pieces();
    auto through = std::make_unique<llama_forward>(std::move(source), options);
    return std::make_unique<engine>(std::move(through), std::move(pieces), running);
}

std::unique_ptr<engine> open_null_engine(const null_options & options, const engine_options & running) {
    auto pieces = std::make_shared<piece_table>();
    for (int i = 0; i < options.n_vocab; ++i) {
        pieces->add(std::string(1, static_cast<char>('a' + i % 26)), false);
    }
    return std::make_unique<engine>(std::make_unique<null_forward>(options), std::move(pieces), running);
}

}  // namespace jan
