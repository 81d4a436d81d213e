// Several models over one text side by side, so that what they make of a token is compared while the
// logits are there; the reference's may also come from an earlier reading that kept them.
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
    // `base` may be null, for score_against(); `others` has one at least then.
    // Throws invalid_argument where vocabularies are of different sizes.
    lockstep(std::shared_ptr<gauge> base, std::vector<std::shared_ptr<gauge>> others);

    // Reads the window from an empty cache and scores the tokens after n_unscored + 1: for each other
    // model its divergences in order, or for none the reference's own, of which only base_nll means
    // something. `keep`, if not null, takes the reference's logits of every scored token: n_vocab()
    // numbers each. Throws as gauge::feed(); what is in `keep` then means nothing.
    std::vector<std::vector<token_divergence>> score(const std::vector<token> & window, int n_unscored,
                                                     float * keep, const std::atomic<bool> & cancel);

    // The same without a base: its logits are what score() kept of this window.
    std::vector<std::vector<token_divergence>> score_against(const float * kept,
                                                             const std::vector<token> & window,
                                                             int n_unscored,
                                                             const std::atomic<bool> & cancel);

    int n_vocab() const { return first().n_vocab(); }
    bool has_base() const { return base_ != nullptr; }

  private:
    const gauge & first() const { return base_ ? *base_ : *others_.front(); }
    std::vector<std::vector<token_divergence>> read(const float * kept, float * keep,
                                                    const std::vector<token> & window, int n_unscored,
                                                    const std::atomic<bool> & cancel);

    std::shared_ptr<gauge> base_;
    std::vector<std::shared_ptr<gauge>> others_;
    row_pool pool_;
    std::vector<divergence_room> rooms_;
};

}  // namespace jan
