// Reads one row of logits: the most likely token, and log-probabilities.
#pragma once

#include "event.h"

#include <vector>

namespace jan {

// The index of the largest value; of equals, the lowest. Not-a-number never wins.
token best_token(const float * logits, int n);

// Appends the log-probability of `chosen`, then those of the n_top most likely, best first.
void append_logprobs(const float * logits, int n, token chosen, int n_top, std::vector<token_logprob> & to);

}  // namespace jan
