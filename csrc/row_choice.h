// Which token follows each row of a pass: the samplers of the requests, on threads of their own.
#pragma once

#include "forward.h"
#include "piece_table.h"
#include "request.h"
#include "sampling/row_pool.h"
#include "sampling/sampler.h"
#include "sequence.h"

#include <functional>
#include <memory>
#include <optional>
#include <vector>

namespace jan {

class row_choice {
  public:
    // Without `upstream` some combinations of sampling parameters are refused.
    row_choice(const piece_table & pieces, int n_ctx, std::unique_ptr<const token_chain_source> upstream,
               int n_threads);

    // For any thread: a request's sampler, which knows its prompt; null for the most likely token
    // where the model's file suppresses none.
    // What the sampler keeps, the request lets go of: many may wait, and biases can be many.
    // Takes milliseconds where DRY looks through the vocabulary, and longer the first time. Throws what
    // sampler's constructor throws.
    std::unique_ptr<sampler> make_sampler(request & ask) const;

    // For the engine's thread. Each sequence whose slice has output is left with the tokens `chosen`
    // and their log-probabilities: one, and for each draft that it equals the next. Or with the
    // reason why there is none, or with its row `held` where a grammar has not said yet what may
    // follow. Rows before the end of a prompt score its tokens.
    void choose(forward & through, const slice * slices, int n);

    // For the engine's thread, of a sequence with a held row: looks further, for about a millisecond.
    // False when that was not enough; else it is left as choose() leaves it.
    bool choose_held(sequence & s);

  private:
    // The rows of one sequence, which are chosen from in order, on one thread.
    struct group {
        sequence * of;
        float * logits;
        int n_rows;
        int first;  // the place of the first row's token
    };

    void choose_group(const group & rows, sampling_scratch & scratch) const;
    std::optional<token> choose_row(sequence & s, float * logits, sampling_scratch & scratch) const;
    token choose_freely(sequence & s, float * logits, sampling_scratch & scratch) const;
    std::optional<token> choose_within(sequence & s, float * logits, sampling_scratch & scratch) const;

    const piece_table & pieces_;  // the engine's, which outlives this
    const std::unique_ptr<const token_chain_source> upstream_;
    sampling_limits limits_;
    std::vector<group> groups_;              // of the pass
    std::vector<sampling_scratch> scratch_;  // one per thread
    const std::function<void(int, int)> work_;
    row_pool pool_;
};

}  // namespace jan
