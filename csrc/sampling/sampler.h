// The sampler of one request: what it remembers, and which way a token is chosen. The way is
// settled when it is made; whatever has no fast one goes through upstream's chain.
#pragma once

#include "event.h"
#include "sampling/candidates.h"
#include "sampling/dry.h"
#include "sampling/sampling_params.h"
#include "sampling/token_chain.h"
#include "sampling/token_window.h"

#include <memory>
#include <random>
#include <vector>

namespace jan {

class sampler {
  public:
    // Where DRY asks for it the vocabulary is looked through, in milliseconds but for the first
    // time: not for the engine's thread.
    // Throws invalid_argument (see check()), and unsupported_feature when
    // `upstream` is needed and null.
    sampler(sampling_params params, const sampling_limits & limits, const token_chain_source * upstream);

    void accept_prompt(const std::vector<token> & prompt);
    void accept(token id);  // one that was generated

    // Chooses from a row of limits.n_vocab logits; accept() is the caller's. The row is changed
    // meanwhile and put back. The same history, row and seed give the same token. `scratch` may be
    // shared by samplers that are asked one after another.
    token choose(float * row, sampling_scratch & scratch);

    // Whether scratch.left is wanted after choose(); costs time where it is not there anyway.
    void keep_probabilities(bool keep) { keep_probabilities_ = keep; }

    uint32_t seed() const { return params_.seed; }
    const char * way() const;  // its name, for tests and traces

  private:
    enum class way_kind { most_likely, any, top_k, top_p, min_p, whole, upstream };

    void plan();
    void open_dry(const token_chain_source * upstream);
    bool keeps_the_most_likely(sampler_kind kind) const;
    void patch(float * row);
    void set(float * row, token id, float logit);
    void penalize(float * row);
    token choose_patched(const float * row, sampling_scratch & scratch);
    candidate_set first_candidates(const float * row, sampling_scratch & scratch) const;
    void apply(sampler_kind kind, candidate_set & set, sampling_scratch & scratch);
    void penalize(candidate_set & set) const;
    float penalized(float logit, int count) const;

    const sampling_params params_;
    const int n_vocab_;
    const std::vector<token> end_of_generation_;
    std::unique_ptr<token_chain> upstream_;
    way_kind way_ = way_kind::most_likely;
    std::vector<sampler_kind> steps_;      // on what the way leaves
    std::vector<sampler_kind> row_steps_;  // on the row, before: penalties and DRY
    float row_temperature_ = 1;            // that the row is divided by first
    bool keep_probabilities_ = false;
    int n_generated_ = 0;
    token_window window_;
    std::unique_ptr<dry> dry_;
    std::mt19937 random_;
    std::mt19937 xtc_random_;
    std::vector<logit_bias> before_;  // what the patched entries of the row held
};

// Appends the log-probability of `chosen` among what was left to choose from, then those of the
// n_top most likely of that, best first. Where fewer are left the rest have token -1.
void append_left_logprobs(const sampling_scratch & scratch, token chosen, int n_top,
                          std::vector<token_logprob> & to);

}  // namespace jan
