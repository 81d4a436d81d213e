// Upstream's bucket sort of a whole row, as far down as somebody wants to see. Equal logits come
// in the order in which upstream leaves them, since each bucket is sorted by itself.
#pragma once

#include "sampling/candidate_order.h"

namespace jan {

// A value that at least k logits reach, since so many blocks have one; -infinity where that does
// not say anything.
float reached_by(const float * row, int n, size_t k, std::vector<float> & maxima, int & n_block);

// Fills scratch.candidates with the k best and what shares a bucket with them, unsorted, by
// ascending id.
void collect_at_least(const float * row, int n, size_t k, sampling_scratch & scratch);

// The best of a row in scratch.candidates, more of them with every extend().
class bucket_walk {
  public:
    bucket_walk(const float * row, int n, sampling_scratch & scratch);

    // False when all of the row was there already.
    bool extend();

  private:
    void sort_bucket(int bucket, candidate * first, candidate * last) const;

    const float * row_;
    int n_;
    sampling_scratch & scratch_;
    size_t counts_[n_buckets] = {};
    int lowest_used_ = n_buckets - 1;
    int next_ = n_buckets;  // buckets from here on are sorted
};

}  // namespace jan
