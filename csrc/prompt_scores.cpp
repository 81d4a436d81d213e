#include "prompt_scores.h"

#include "best_token.h"

namespace jan {

void prompt_scores::add(const float * logits, int n_vocab, token there) {
    const size_t before = found_.size();
    try {
        append_logprobs(logits, n_vocab, there, n_top_, found_);
    } catch (...) {
        found_.resize(before);
        throw;
    }
    ++next_;
}

void prompt_scores::tell(event & with, event_batch & of) {
    if (!untold_ || !complete()) {
        return;
    }
    with.prompt_logprobs = event_batch::add(of.prompt_logprobs, found_.data(), found_.size());
    with.prompt_top = n_top_;
    with.prompt_whole = whole_;
    found_ = {};
    untold_ = false;
}

}  // namespace jan
