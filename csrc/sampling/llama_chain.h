// llama.cpp's own samplers, in the order and with the special cases of its server
// (common/sampling.cpp).
#pragma once

#include "piece_table.h"
#include "sampling/token_chain.h"

#include <mutex>
#include <utility>

struct llama_vocab;

namespace jan {

// The vocabulary must outlive it and every chain it made.
class llama_chain_source final : public token_chain_source {
  public:
    explicit llama_chain_source(const llama_vocab * vocab) : vocab_(vocab) {}

    std::vector<token> suppressed() const override;
    std::shared_ptr<const dry_breakers> breakers(const std::vector<std::string> & texts) const override;
    std::unique_ptr<token_chain> open(const sampling_params & settled) const override;

  private:
    using remembered = std::pair<std::vector<std::string>, std::shared_ptr<const dry_breakers>>;

    const piece_table & words() const;

    const llama_vocab * vocab_;
    mutable std::once_flag written_out_;
    mutable piece_table words_;  // every token's text, for DRY; empty until somebody asks for it
    mutable std::mutex mutex_;
    mutable std::vector<remembered> remembered_;  // the last few that were asked for
};

}  // namespace jan
