// Several models over one text side by side, so that what they make of a token is compared while the
// logits are there and nothing of the vocabulary's size is kept.
#pragma once

#include "divergence.h"
#include "gauge.h"
#include "sampling/row_pool.h"

#include <atomic>
#include <memory>
#include <vector>

namespace jan {

class lockstep {
  public:
    // Throws invalid_argument where vocabularies are of different sizes.
    lockstep(std::shared_ptr<gauge> base, std::vector<std::shared_ptr<gauge>> others);

    // Reads the window from an empty cache and scores the tokens after n_unscored + 1: for each other
    // model its divergences in order, or for none the reference's own, of which only base_nll means
    // something. Throws as gauge::feed().
    std::vector<std::vector<token_divergence>> score(const std::vector<token> & window, int n_unscored,
                                                     const std::atomic<bool> & cancel);

  private:
    std::shared_ptr<gauge> base_;
    std::vector<std::shared_ptr<gauge>> others_;
    row_pool pool_;
    std::vector<divergence_room> rooms_;
};

}  // namespace jan
