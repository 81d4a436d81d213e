// llama.cpp's own samplers, in the order and with the special cases of its server
// (common/sampling.cpp).
#pragma once

#include "sampling/token_chain.h"

struct llama_vocab;

namespace jan {

// The vocabulary must outlive it and every chain it made.
class llama_chain_source final : public token_chain_source {
  public:
    explicit llama_chain_source(const llama_vocab * vocab) : vocab_(vocab) {}

    std::vector<token> suppressed() const override;
    std::unique_ptr<token_chain> open(const sampling_params & settled) const override;

  private:
    const llama_vocab * vocab_;
};

}  // namespace jan
