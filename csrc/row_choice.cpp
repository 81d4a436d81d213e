#include "row_choice.h"

#include "best_token.h"
#include "error.h"

#include <algorithm>
#include <climits>
#include <cstdint>
#include <utility>

namespace jan {

namespace {

constexpr int min_shared_rows = 4;  // fewer are done before another thread is awake

// Places of a grammar that are looked at before the others have their next token, about a
// millisecond: what JSON takes.
constexpr size_t most_places_at_once = 4096;

}  // namespace

row_choice::row_choice(const piece_table & pieces, int n_ctx,
                       std::unique_ptr<const token_chain_source> upstream, int n_threads)
    : pieces_(pieces), upstream_(std::move(upstream)), scratch_(static_cast<size_t>(n_threads)),
      work_([this](int i, int worker) {
          choose_group(groups_[static_cast<size_t>(i)], scratch_[static_cast<size_t>(worker)]);
      }),
      pool_(n_threads) {
    limits_.n_vocab = pieces.n_tokens();
    limits_.n_ctx = n_ctx;
    for (token id = 0; id < limits_.n_vocab; ++id) {
        if (pieces.ends_generation(id)) {
            limits_.end_of_generation.push_back(id);
        }
    }
    if (upstream_) {
        limits_.suppressed = upstream_->suppressed();
    }
}

std::unique_ptr<sampler> row_choice::make_sampler(request & ask) const {
    if (!ask.sampling && limits_.suppressed.empty()) {
        return nullptr;
    }
    sampling_params params;
    if (ask.sampling) {
        params = *ask.sampling;
        params.ignore_eos = params.ignore_eos || ask.ignore_eos;
        ask.sampling.reset();
    } else {
        params.temperature = 0;
        ask.logprobs_of_left = false;  // as without a sampler
    }
    if (ask.max_tokens >= 0) {
        // No window need be longer than the text can get; a context may be far longer.
        const auto n_most = static_cast<int64_t>(ask.prompt.size()) + ask.max_tokens;
        for (int * n_last : {&params.repeat_last_n, &params.dry_penalty_last_n}) {
            if (*n_last == -1 || *n_last > n_most) {
                *n_last = static_cast<int>(std::min<int64_t>(n_most, limits_.n_ctx));
            }
        }
    }
    auto made = std::make_unique<sampler>(std::move(params), limits_, upstream_.get());
    made->keep_probabilities(ask.logprobs_of_left && ask.n_top >= 0);
    made->accept_prompt(ask.prompt);
    return made;
}

void row_choice::choose(forward & through, const slice * slices, int n) {
    groups_.clear();
    int n_rows = 0;
    for (int i = 0; i < n; ++i) {
        if (slices[i].n_outputs > 0) {
            const int first = slices[i].of->n_computed + slices[i].n_tokens - slices[i].n_outputs;
            groups_.push_back({slices[i].of, through.logits(n_rows), slices[i].n_outputs, first});
            n_rows += slices[i].n_outputs;
        }
    }
    const auto n_groups = static_cast<int>(groups_.size());
    if (n_rows >= min_shared_rows) {
        // Where neighbours left the pass fewer cores, there are no more for this.
        pool_.run(n_groups, work_, through.n_workers() > 0 ? through.n_workers() : INT_MAX);
        return;
    }
    for (int i = 0; i < n_groups; ++i) {
        work_(i, 0);
    }
}

void row_choice::choose_group(const group & rows, sampling_scratch & scratch) const {
    sequence & s = *rows.of;
    s.chosen.clear();
    s.held_row.clear();
    try {
        for (int row = 0; row < rows.n_rows; ++row) {
            float * logits = rows.logits + static_cast<int64_t>(row) * limits_.n_vocab;
            if (!s.scores.complete() && rows.first + row + 1 == s.scores.next()) {
                s.scores.add(logits, limits_.n_vocab, s.row_token(s.scores.next()));
                continue;
            }
            if (s.ask.max_tokens == 0) {
                return;
            }
            const std::optional<token> chosen = choose_row(s, logits, scratch);
            if (!chosen) {
                if (s.chosen.empty()) {
                    s.held_row.assign(logits, logits + limits_.n_vocab);
                }
                break;  // behind a guess the row is computed again
            }
            s.chosen.push_back(*chosen);
            // The next row was computed from a guess, and says something only if the guess was right.
            const size_t i = s.chosen.size() - 1;
            if (i < s.drafts.size() && s.drafts[i] != s.chosen[i]) {
                break;
            }
            if (s.bounds && s.bounds->finished()) {
                break;
            }
        }
    } catch (...) {
        s.not_chosen = current_error();
    }
}

bool row_choice::choose_held(sequence & s) {
    s.chosen.clear();
    try {
        const std::optional<token> chosen = choose_row(s, s.held_row.data(), scratch_[0]);
        if (!chosen) {
            return false;
        }
        s.chosen.push_back(*chosen);
    } catch (...) {
        s.not_chosen = current_error();
    }
    s.held_row.clear();
    return true;
}

token row_choice::choose_freely(sequence & s, float * logits, sampling_scratch & scratch) const {
    float * ruled = s.ruler.rule(logits, limits_.n_vocab, scratch.ruled);
    return s.chooser ? s.chooser->choose(ruled, scratch) : best_token(ruled, limits_.n_vocab);
}

// As llama.cpp's server does: a token is chosen freely, and only if the grammar has no place for it
// is one chosen again, from what the grammar allows. That second choice can be later, when it is
// known what is allowed; the first is not made again then, so that a seed gives what it gives.
std::optional<token> row_choice::choose_within(sequence & s, float * logits,
                                               sampling_scratch & scratch) const {
    bool refused = s.bounds->awaits_mask();
    token chosen = refused ? -1 : choose_freely(s, logits, scratch);
    // More than once only where a lazy grammar is about to begin and refuses token by token.
    while (refused || !s.bounds->allows(chosen)) {
        refused = false;
        const std::shared_ptr<const token_mask> allowed = s.bounds->allowed(most_places_at_once);
        if (!allowed) {
            return std::nullopt;
        }
        if (allowed->empty()) {
            throw error(errc::invalid_argument, "grammar: no token of this vocabulary can go on from here");
        }
        scratch.allowed.resize(static_cast<size_t>(limits_.n_vocab));
        allowed->apply(logits, scratch.allowed.data());
        chosen = choose_freely(s, scratch.allowed.data(), scratch);
        if (!allowed->allows(chosen)) {
            throw error(errc::invalid_argument, "grammar: every token that it allows here is banned");
        }
    }
    s.bounds->accept(chosen);
    return chosen;
}

std::optional<token> row_choice::choose_row(sequence & s, float * logits, sampling_scratch & scratch) const {
    const bool of_left = s.chooser && s.ask.logprobs_of_left;
    const std::optional<token> found =
        s.bounds ? choose_within(s, logits, scratch) : choose_freely(s, logits, scratch);
    if (!found) {
        return found;
    }
    const token chosen = *found;
    if (s.ask.n_top >= 0 && of_left) {
        append_left_logprobs(scratch, chosen, s.ask.n_top, s.logprobs);
    } else if (s.ask.n_top >= 0) {
        append_logprobs(logits, limits_.n_vocab, chosen, s.ask.n_top, s.logprobs);
    }
    if (s.chooser) {
        s.chooser->accept(chosen);
    }
    if (s.ask.rules) {
        s.ruler.accept(chosen, pieces_.special(chosen));
    }
    return chosen;
}

}  // namespace jan
