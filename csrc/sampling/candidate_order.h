// In which order upstream puts candidates: by logit, and equal ones as its sorting leaves them.
// The algorithms are those of libstdc++'s partial_sort and llama.cpp's bucket sort; against
// another standard library equal logits may change places.
#pragma once

#include "sampling/candidates.h"

namespace jan {

constexpr int n_buckets = 128;
constexpr size_t max_heap = 128;  // more candidates than this are sorted through buckets

inline bool is_better(const candidate & a, const candidate & b) { return a.logit > b.logit; }

// Which of the equally wide parts of [-10, 10] holds the logit; what is outside goes to the ends.
int bucket_of(float logit);

// A value that is below every logit of that bucket and the higher ones; -infinity for the first.
float below_bucket(int bucket);

// Replaces the first (and worst) of a heap ordered by is_better.
void replace_worst(candidate * heap, size_t n, candidate by);

// Sorts all `from` into `to` (as large) so that its first k are upstream's; returns nothing else.
void sort_by_bucket(const candidate * from, size_t n, size_t k, std::vector<candidate> & to);

}  // namespace jan
