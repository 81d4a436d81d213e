// How far one request's text is in its grammar, and when the grammar begins to hold.
#pragma once

#include "constraint/compiled_grammar.h"
#include "constraint/mask_ahead.h"
#include "constraint/trigger.h"
#include "piece_table.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace jan {

// What a request asks for. Immutable and shared.
struct constraint_params {
    std::shared_ptr<compiled_grammar> grammar;
    bool lazy = false;  // free text until something triggers it
    triggers begin;     // what does
    std::string begun;  // of its text, what the prompt holds already; not where it is lazy
};

// What one text may have worked out for it, over its life: places, see automaton_limits.
constexpr size_t most_places_of_a_text = 20'000'000;

// For one thread at a time; the automaton behind it is shared with other requests. Whatever goes
// beyond the automaton's limits, or its own, throws invalid_argument.
class constraint {
  public:
    // Throws invalid_argument when a text within the grammar cannot begin with params->begun.
    // `shown`: tokens without a text of their own that are shown nevertheless, as they are written.
    constraint(std::shared_ptr<const constraint_params> params, const piece_table & pieces,
               std::vector<token> shown, size_t most_places = most_places_of_a_text);

    bool allows(token id);
    void accept(token id);  // one that is allowed

    // All that allows() would let through. Where a lazy grammar waits, all but what it refused.
    // nullptr when that takes more places than n_most: ask again, each time it is further on.
    std::shared_ptr<const token_mask> allowed(size_t n_most = SIZE_MAX);
    bool awaits_mask() const { return awaits_mask_; }  // the last allowed() was nullptr

    // Has allowed() worked out elsewhere if it was needed for the last token.
    void prepare(mask_ahead & elsewhere) const;

    // The text is whole and nothing can follow.
    bool finished() const { return finished_; }

  private:
    std::string_view text_of(token id) const;
    int32_t after(token id) const;
    int32_t after_waiting(token id);
    std::shared_ptr<const token_mask> with_shown(std::shared_ptr<const token_mask> mask) const;

    const std::shared_ptr<const constraint_params> params_;
    const piece_table & pieces_;
    const std::vector<token> shown_;
    const size_t most_places_;
    size_t n_places_ = 0;  // worked out for this text so far
    bool awaits_mask_ = false;
    std::shared_ptr<grammar_automaton> automaton_;
    trigger_search search_;
    int32_t state_;
    bool finished_ = false;
    bool asked_ = false;          // for allowed() since the last token,
    bool asked_before_ = false;   // and before that one
    std::vector<token> refused_;  // by a grammar that waits: they would begin it wrongly
    token checked_ = -1;          // the token that allows() was asked about last,
    int32_t after_checked_ = 0;   // and where it leads
};

}  // namespace jan
