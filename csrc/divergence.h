// How far apart two models' guesses of the next token are. Of plain rows of logits; no llama.h.
#pragma once

#include "token.h"

#include <vector>

namespace jan {

// One token of a text, as a reference and another model saw it coming. In nats; not-a-number where a
// model computes none.
struct token_divergence {
    double base_nll = 0;     // minus the log-probability that the reference gave the token
    double nll = 0;          // and the other
    double kl = 0;           // sum over the vocabulary of p_base * log(p_base / p)
    bool same_best = false;  // both hold the same token to be the most likely
};

// Room for the work, one per thread.
struct divergence_room {
    std::vector<float> base;
    std::vector<float> other;
};

double row_nll(const float * logits, int n, token next, divergence_room & room);
token_divergence row_divergence(const float * base, const float * other, int n, token next,
                                divergence_room & room);

}  // namespace jan
