// How likely the tokens of a prompt were to the model: which are still to be said, and what was.
#pragma once

#include "event.h"
#include "request.h"

#include <algorithm>
#include <vector>

namespace jan {

// Belongs to one sequence. Scores come in the order of the prompt, each once, however often the
// sequence gives its cells away.
class prompt_scores {
  public:
    explicit prompt_scores(const request & ask)
        : n_top_(ask.prompt_top), next_(std::max(1, ask.prompt_top_from)),
          end_(ask.prompt_top < 0 ? 0 : static_cast<int>(ask.prompt.size())),
          whole_(ask.prompt_top_from == 0), untold_(ask.prompt_top >= 0) {}

    bool complete() const { return next_ >= end_; }
    int next() const { return next_; }  // the place of the token whose score is to come

    // The row before that token's. Throws nothing but bad_alloc; then the score is still to come.
    void add(const float * logits, int n_vocab, token there);

    // Once complete, the next event takes all of them along.
    void tell(event & with, event_batch & of);

  private:
    int n_top_;
    int next_;
    int end_;
    bool whole_;
    bool untold_;
    std::vector<token_logprob> found_;
};

}  // namespace jan
