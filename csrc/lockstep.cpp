#include "lockstep.h"

#include "error.h"

#include <algorithm>
#include <string>

namespace jan {

lockstep::lockstep(std::shared_ptr<gauge> base, std::vector<std::shared_ptr<gauge>> others)
    : base_(std::move(base)), others_(std::move(others)), pool_(first().n_threads()),
      rooms_(static_cast<size_t>(pool_.n_threads())) {
    for (const auto & other : others_) {
        if (other->n_vocab() != n_vocab()) {
            throw error(errc::invalid_argument, "its vocabulary has " + std::to_string(other->n_vocab()) +
                                                    " tokens, the reference's " + std::to_string(n_vocab()));
        }
    }
}

std::vector<std::vector<token_divergence>> lockstep::score(const std::vector<token> & window, int n_unscored,
                                                           float * keep, const std::atomic<bool> & cancel) {
    return read(nullptr, keep, window, n_unscored, cancel);
}

std::vector<std::vector<token_divergence>> lockstep::score_against(const float * kept,
                                                                   const std::vector<token> & window,
                                                                   int n_unscored,
                                                                   const std::atomic<bool> & cancel) {
    return read(kept, nullptr, window, n_unscored, cancel);
}

std::vector<std::vector<token_divergence>> lockstep::read(const float * kept, float * keep,
                                                          const std::vector<token> & window, int n_unscored,
                                                          const std::atomic<bool> & cancel) {
    if (n_unscored < 0) {
        throw error(errc::invalid_argument, "n_unscored must not be negative");
    }
    const int n = static_cast<int>(window.size());
    const int64_t n_vocab = first().n_vocab();
    std::vector<std::vector<token_divergence>> found(std::max<size_t>(others_.size(), 1));
    if (base_) {
        base_->forget();
    }
    for (const auto & other : others_) {
        other->forget();
    }
    for (int begin = 0; begin < n;) {
        const int end = std::min(n, begin + first().n_ubatch());
        // Every token from n_unscored on leaves a row, as upstream has it; nothing comes after the last.
        const int first_row = std::min(end, std::max(begin, n_unscored));
        const int n_scored = std::max(0, std::min(end, n - 1) - first_row);
        const int64_t at_kept = std::max(0, first_row - n_unscored) * n_vocab;  // after earlier passes' rows
        const float * base = kept ? kept + at_kept : nullptr;
        if (base_) {
            base_->feed(window.data() + begin, end - begin, end - first_row, cancel);
            base = end > first_row ? base_->logits() : nullptr;
            if (keep && n_scored > 0) {
                std::copy_n(base, n_scored * n_vocab, keep + at_kept);
            }
        }
        for (size_t i = 0; i < found.size(); ++i) {
            const float * other = nullptr;
            if (!others_.empty()) {
                others_[i]->feed(window.data() + begin, end - begin, end - first_row, cancel);
                other = end > first_row ? others_[i]->logits() : nullptr;
            }
            if (n_scored == 0) {
                continue;
            }
            const size_t so_far = found[i].size();
            found[i].resize(so_far + static_cast<size_t>(n_scored));
            pool_.run(n_scored, [&](int row, int worker) {
                const int64_t at = row * n_vocab;
                const token next = window[static_cast<size_t>(first_row + row + 1)];
                divergence_room & room = rooms_[static_cast<size_t>(worker)];
                token_divergence & into = found[i][so_far + static_cast<size_t>(row)];
                if (other) {
                    into = row_divergence(base + at, other + at, static_cast<int>(n_vocab), next, room);
                } else {
                    into.base_nll = row_nll(base + at, static_cast<int>(n_vocab), next, room);
                }
            });
        }
        begin = end;
    }
    return found;
}

}  // namespace jan
