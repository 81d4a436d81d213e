// All state of one request while the engine has it.
#pragma once

#include "event.h"
#include "kv_ledger.h"
#include "line_limits.h"
#include "prompt_scores.h"
#include "request.h"
#include "sampling/sampler.h"
#include "speculation/drafter.h"
#include "text_stream.h"

#include <algorithm>
#include <cstddef>
#include <memory>
#include <optional>
#include <vector>

namespace jan {

// Owned by the engine, for its thread alone. tokens[0, n_computed) are in the cache; the rest
// is still to be computed, so a sequence that generates has exactly one token left, and one
// that lost its cells simply has more.
struct sequence {
    explicit sequence(request r, double now_s, std::unique_ptr<sampler> how = nullptr,
                      std::unique_ptr<constraint> within = nullptr)
        : ask(std::move(r)), tokens(ask.prompt), text(ask.stop), lines(ask), scores(ask),
          ruler(ask.rules.get()), chooser(std::move(how)), bounds(std::move(within)), arrived_s(now_s) {}

    int n_left() const { return static_cast<int>(tokens.size()) - n_computed; }
    int n_prompt() const { return static_cast<int>(ask.prompt.size()); }

    // Of its next n rows, how many at their end have logits that somebody wants.
    int n_outputs(int n) const {
        if (!scores.complete()) {
            return std::max(0, n_computed + n - std::max(n_computed, scores.next() - 1));
        }
        return n >= n_left() ? 1 : 0;
    }

    // How many of its next n rows can be taken where so many may have output.
    int n_rows_within(int n, int most_outputs) const {
        const int n_before = scores.complete() ? n : std::max(0, scores.next() - 1 - n_computed);
        return std::min(n, n_before + most_outputs);
    }

    // How many rows its next slice has where they are always cut alike: pieces of the prompt, then one at a
    // time, also when cells that were lost are computed again.
    int n_fixed_rows(int piece) const {
        const int n_prompt_left = n_prompt() - n_computed;
        return std::min(n_left(), n_prompt_left > 0 ? std::min(piece, n_prompt_left) : 1);
    }

    // Of its tokens, how many may be in the cache already: one is left to compute, or all whose logits
    // are wanted.
    int n_reusable() const {
        return (scores.complete() ? static_cast<int>(tokens.size()) : scores.next()) - 1;
    }

    // What a row at position `at` is computed from.
    token row_token(int at) const {
        const auto i = static_cast<size_t>(at);
        return i < tokens.size() ? tokens[i] : drafts[i - tokens.size()];
    }

    usage used(double now_s) const {
        usage u;
        u.n_prompt = n_prompt();
        u.n_generated = static_cast<int>(made.size());
        u.n_cached = n_cached > 0 ? n_cached : 0;
        u.n_evaluated = n_evaluated;
        u.n_parked = n_parked;
        u.n_drafted = n_drafted;
        u.n_accepted = n_accepted;
        u.truncated = truncated;
        const double first_s = first_token_s > 0 ? first_token_s : now_s;
        u.queued_s = (started_s > 0 ? started_s : now_s) - arrived_s;
        u.prefill_s = started_s > 0 ? first_s - started_s : 0;
        u.decode_s = first_token_s > 0 ? last_token_s - first_s : 0;
        return u;
    }

    const request ask;
    std::vector<token> tokens;
    text_stream text;
    line_limits lines;

    int lane = -1;                        // of the cache, -1 while it waits
    int n_computed = 0;                   // of tokens
    std::vector<token> made;              // generated; after a context shift not all are in `tokens`
    size_t n_told = 0;                    // of made, already in an event
    std::vector<token_logprob> logprobs;  // of those not yet in an event

    prompt_scores scores;

    token_ruler ruler;
    std::unique_ptr<sampler> chooser;    // null: the most likely token
    std::unique_ptr<constraint> bounds;  // that its text stays within; null: none

    std::unique_ptr<drafter> guesses;  // null: nothing is guessed for it
    // Guessed to come after `tokens`: the last rows of a slice that goes further than those.
    std::vector<token> drafts;

    // Between a pass and its being told. Each but the last is the draft at its place.
    std::vector<token> chosen;
    std::optional<error> not_chosen;  // why there is no further one
    // The logits of its last token, while its grammar works out what may follow: until then all its
    // tokens are computed, and it has no row in a pass.
    std::vector<float> held_row;

    int n_cached = -1;    // prompt tokens found in the cache; -1 before it ran first
    int n_evaluated = 0;  // prompt tokens computed for it, again after parking included
    int n_parked = 0;     // times it had to give its cells away
    int n_drafted = 0;    // rows computed for a guess
    int n_accepted = 0;   // tokens that had been guessed
    bool truncated = false;
    bool cancelled = false;
    bool progress_begun = false;  // its caller was told that its prompt is being read

    prefix_match found;     // in the cache, when it was last looked for; while it waits
    uint64_t admitted = 0;  // rank by age among the running, from 1

    // The running sequence that is computing a prefix this one will need, and how much of it.
    uint64_t leader = 0;
    int n_wanted = 0;

    double arrived_s;
    double started_s = 0;  // when it first got a lane
    double first_token_s = 0;
    double last_token_s = 0;
    double served_s = 0;  // when a step was last planned for its adapters
};

}  // namespace jan
