#include "lockstep.h"

#include "error.h"

#include <algorithm>
#include <string>

namespace jan {

lockstep::lockstep(std::shared_ptr<gauge> base, std::vector<std::shared_ptr<gauge>> others)
    : base_(std::move(base)), others_(std::move(others)), pool_(base_->n_threads()),
      rooms_(static_cast<size_t>(pool_.n_threads())) {
    for (const auto & other : others_) {
        if (other->n_vocab() != base_->n_vocab()) {
            throw error(errc::invalid_argument, "its vocabulary has " + std::to_string(other->n_vocab()) +
                                                    " tokens, the reference's " +
                                                    std::to_string(base_->n_vocab()));
        }
    }
}

std::vector<std::vector<token_divergence>> lockstep::score(const std::vector<token> & window, int n_unscored,
                                                           const std::atomic<bool> & cancel) {
    const int n = static_cast<int>(window.size());
    const int n_vocab = base_->n_vocab();
    std::vector<std::vector<token_divergence>> found(std::max<size_t>(others_.size(), 1));
    base_->forget();
    for (const auto & other : others_) {
        other->forget();
    }
    for (int begin = 0; begin < n;) {
        const int end = std::min(n, begin + base_->n_ubatch());
        // Every token from n_unscored on leaves a row, as upstream has it; nothing comes after the last.
        const int first = std::min(end, std::max(begin, n_unscored));
        const int n_scored = std::min(end, n - 1) - first;
        base_->feed(window.data() + begin, end - begin, end - first, cancel);
        const float * base = end > first ? base_->logits() : nullptr;
        for (size_t i = 0; i < found.size(); ++i) {
            const float * other = nullptr;
            if (!others_.empty()) {
                others_[i]->feed(window.data() + begin, end - begin, end - first, cancel);
                other = end > first ? others_[i]->logits() : nullptr;
            }
            if (n_scored <= 0) {
                continue;
            }
            const size_t so_far = found[i].size();
            found[i].resize(so_far + static_cast<size_t>(n_scored));
            pool_.run(n_scored, [&](int row, int worker) {
                const int64_t at = static_cast<int64_t>(row) * n_vocab;
                const token next = window[static_cast<size_t>(first + row + 1)];
                divergence_room & room = rooms_[static_cast<size_t>(worker)];
                token_divergence & into = found[i][so_far + static_cast<size_t>(row)];
                if (other) {
                    into = row_divergence(base + at, other + at, n_vocab, next, room);
                } else {
                    into.base_nll = row_nll(base + at, n_vocab, next, room);
                }
            });
        }
        begin = end;
    }
    return found;
}

}  // namespace jan
