// The tokens that are still in the running, and upstream's samplers on them, one function each.
// Every function does what llama.cpp's sampler of that name does, down to the order of float
// additions and of equal logits, so that the same draw picks the same token.
#pragma once

#include "token.h"

#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

namespace jan {

struct candidate {
    token id;
    float logit;
    float p;  // set by a softmax; meaningless before the first
};

// `data` points into memory of the caller; samplers reorder and shorten, they never grow.
struct candidate_set {
    candidate * data = nullptr;
    size_t size = 0;
    bool sorted = false;  // by logit, largest first
};

// Memory that keeps its size between calls; one per thread.
struct sampling_scratch {
    std::vector<candidate> candidates;
    std::vector<candidate> buckets;
    std::vector<float> scores;
    std::vector<int32_t> indices;
    std::vector<float> row;
    std::vector<float> allowed;  // a row with what a grammar bans taken out
    std::vector<float> ruled;    // and one with what a request's rules ban
    std::vector<double> sums;
    std::vector<std::byte> upstream;  // a row as upstream's chain wants it
    candidate_set left;               // after a draw: what could have been chosen, p normalised
};

// Puts the k best first, in order, and drops the rest.
void keep_best(candidate_set & set, size_t k, sampling_scratch & scratch);

void softmax(candidate_set & set, bool sort, sampling_scratch & scratch);

void apply_top_k(candidate_set & set, int k, sampling_scratch & scratch);
void apply_top_p(candidate_set & set, float p, size_t min_keep, sampling_scratch & scratch);
void apply_min_p(candidate_set & set, float p, size_t min_keep, sampling_scratch & scratch);
void apply_typical_p(candidate_set & set, float p, size_t min_keep, sampling_scratch & scratch);
void apply_top_n_sigma(candidate_set & set, float n);
void apply_xtc(candidate_set & set, float probability, float threshold, size_t min_keep,
               std::mt19937 & random, sampling_scratch & scratch);
void apply_temperature(candidate_set & set, float temperature);
void apply_dynamic_temperature(candidate_set & set, float temperature, float range, float exponent,
                               sampling_scratch & scratch);

// The index of the one that is drawn; probabilities are normalised. The set must not be empty.
// Where no draw is possible (all logits infinite) it is the first of the largest.
size_t draw(candidate_set & set, std::mt19937 & random);

}  // namespace jan
