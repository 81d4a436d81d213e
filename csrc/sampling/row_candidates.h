// From a whole row of logits to the candidates that upstream's first sampler would leave, without
// an array of all of them. The sets point into `scratch.candidates`.
#pragma once

#include "sampling/candidates.h"

namespace jan {

candidate_set all_of_row(const float * row, int n, sampling_scratch & scratch);
candidate_set top_k_of_row(const float * row, int n, int k, sampling_scratch & scratch);
candidate_set min_p_of_row(const float * row, int n, float p, size_t min_keep, sampling_scratch & scratch);
candidate_set top_p_of_row(const float * row, int n, float p, size_t min_keep, sampling_scratch & scratch);

// Draws from all tokens at that temperature. The sum of their probabilities is added up in another
// order than upstream's, in double precision: about one draw in 10^11 falls between the two.
token draw_from_row(const float * row, int n, float temperature, std::mt19937 & random,
                    sampling_scratch & scratch);

}  // namespace jan
