// DRY ("don't repeat yourself"): what would continue a repetition of the text so far loses
// probability, more for longer ones. Finds the very penalties that llama.cpp's sampler of that
// name applies, without asking for each token of the vocabulary.
#pragma once

#include "sampling/sampling_params.h"
#include "token.h"

#include <memory>
#include <unordered_map>
#include <vector>

namespace jan {

// Tokens that end or may begin a sequence breaker, and what has to follow each (empty: nothing).
using dry_breakers = std::unordered_map<token, std::vector<std::vector<token>>>;

class dry {
  public:
    struct penalty {
        token id;
        float amount;
    };

    // Null breakers are none.
    dry(const sampling_params & settled, std::shared_ptr<const dry_breakers> breakers);

    void add(token id);

    // To be taken off the logits, one per token; valid until the next call.
    const std::vector<penalty> & penalties();

  private:
    void look_back();
    int longest_allowed() const;
    void count_repeats(int limit);
    bool breaks_alone(token id) const;

    const float multiplier_;
    const float base_;
    const int allowed_length_;
    const size_t n_last_;
    const std::shared_ptr<const dry_breakers> breakers_;
    std::vector<token> ring_;
    size_t oldest_ = 0;
    std::vector<token> recent_;  // the ring, the newest first
    std::vector<int> repeats_;   // how far the text before each of `recent_` equals its end
    std::vector<std::pair<token, int>> continued_;
    std::vector<penalty> penalties_;
};

}  // namespace jan
