// What upstream offers, behind an interface: facts of the vocabulary, and samplers for the
// combinations that have no faster way here.
#pragma once

#include "sampling/candidates.h"
#include "sampling/dry.h"
#include "sampling/sampling_params.h"

#include <memory>
#include <string>
#include <vector>

namespace jan {

class token_chain {
  public:
    token_chain() = default;
    virtual ~token_chain() = default;
    token_chain(const token_chain &) = delete;
    token_chain & operator=(const token_chain &) = delete;

    virtual void accept(token id) = 0;

    // -1 when nothing can be chosen. With `keep_left` scratch.candidates is filled with what could
    // have been chosen, probabilities normalised.
    virtual token choose(const float * row, bool keep_left, sampling_scratch & scratch) = 0;
};

// Makes chains for one vocabulary; any thread may ask it.
class token_chain_source {
  public:
    token_chain_source() = default;
    virtual ~token_chain_source() = default;
    token_chain_source(const token_chain_source &) = delete;
    token_chain_source & operator=(const token_chain_source &) = delete;

    // Tokens that the model's file wants never to be chosen.
    virtual std::vector<token> suppressed() const = 0;

    // What DRY needs to know of the vocabulary, for texts as settled() leaves them; remembered for
    // the next request that asks the same. The first call ever writes out all of the vocabulary.
    virtual std::shared_ptr<const dry_breakers> breakers(const std::vector<std::string> & texts) const = 0;

    // Of settled parameters, apart from their biases, which are in the row already. Throws
    // unsupported_feature when the vocabulary lacks what they need.
    virtual std::unique_ptr<token_chain> open(const sampling_params & settled) const = 0;
};

}  // namespace jan
