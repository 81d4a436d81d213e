// How often each token occurs among the last n. Allocates only when it is made.
#pragma once

#include "token.h"

#include <cstddef>
#include <vector>

namespace jan {

class token_window {
  public:
    struct occurrence {
        token id;
        int count;
    };

    token_window(int n_last, int n_vocab);  // of ids below n_vocab

    void add(token id);

    const std::vector<occurrence> & distinct() const { return distinct_; }  // in no order
    int count(token id) const;

  private:
    size_t place_of(token id) const;
    void remove(token id);

    std::vector<token> ring_;
    size_t n_last_;
    size_t oldest_ = 0;
    std::vector<occurrence> distinct_;
    std::vector<int> table_;  // open addressing: index into distinct_, -1 empty
};

}  // namespace jan
