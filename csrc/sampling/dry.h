// DRY ("don't repeat yourself"): what would continue a repetition of the text so far loses
// probability, more for longer ones. Finds the very penalties that llama.cpp's sampler of that
// name applies, without asking for each token of the vocabulary.
#pragma once

#include "sampling/sampling_params.h"
#include "token.h"

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

namespace jan {

// Where the text begins anew: no repetition is looked for across a sequence breaker.
struct dry_breakers {
    std::vector<uint8_t> alone;                        // by token: whether it breaks by itself
    std::unordered_map<token, std::vector<int>> ends;  // by token: the tails that may follow it, one of
    std::vector<std::vector<token>> tails;             // which has to; none is empty
};

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

    // Whether there was enough text for the last penalties() to look at; where upstream's sampler
    // has looked, it forgets the order of its candidates.
    bool looked() const { return looked_; }

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
    bool looked_ = false;
    std::vector<token> recent_;  // the ring, the newest first
    std::vector<int> repeats_;   // how far the text before each of `recent_` equals its end
    std::vector<std::pair<token, int>> continued_;
    std::vector<penalty> penalties_;
};

}  // namespace jan
