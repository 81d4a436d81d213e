// How a request wants its tokens chosen: plain data, and what of it is refused.
#pragma once

#include "token.h"

#include <cstdint>
#include <string>
#include <vector>

namespace jan {

constexpr uint32_t random_seed = 0xFFFFFFFF;  // upstream's LLAMA_DEFAULT_SEED: take one from the system

// What may stand in sampling_params::order.
enum class sampler_kind : int {
    penalties = 0,
    dry,
    top_n_sigma,
    top_k,
    typical_p,
    top_p,
    min_p,
    xtc,
    temperature,
    infill,
    adaptive_p,  // always comes last, wherever it stands
};
constexpr int n_sampler_kinds = static_cast<int>(sampler_kind::adaptive_p) + 1;

struct logit_bias {
    token id;
    float bias;  // -infinity bans the token
};

// As it stands here it draws from what the model says: every default is "off".
struct sampling_params {
    uint32_t seed = random_seed;
    float temperature = 1;  // 0 or below: the most likely of what is left
    float dynatemp_range = 0;
    float dynatemp_exponent = 1;
    int top_k = 0;  // 0 or below: all
    float top_p = 1;
    float min_p = 0;
    float typical_p = 1;
    float top_n_sigma = -1;  // 0 or below: off
    float xtc_probability = 0;
    float xtc_threshold = 0.1f;  // above 0.5: off
    float repeat_penalty = 1;
    float frequency_penalty = 0;
    float presence_penalty = 0;
    int repeat_last_n = 64;  // tokens that the three look back; -1: the context
    float dry_multiplier = 0;
    float dry_base = 1.75f;  // below 1: off
    int dry_allowed_length = 2;
    int dry_penalty_last_n = -1;  // -1: the context
    std::vector<std::string> dry_sequence_breakers = {"\n", ":", "\"", "*"};
    int mirostat = 0;  // 1 or 2: instead of everything in `order` but temperature
    float mirostat_tau = 5;
    float mirostat_eta = 0.1f;
    float adaptive_target = -1;  // below 0: samples as without; needs adaptive_p in `order`
    float adaptive_decay = 0.9f;
    std::vector<logit_bias> biases;  // several for one token add up
    bool ignore_eos = false;         // tokens that end generation are banned
    int min_keep = 0;                // candidates that top_p, min_p, typical_p and xtc leave
    int min_tokens = 0;              // so many are generated before one that ends generation
    // Each at most once.
    std::vector<sampler_kind> order = {
        sampler_kind::penalties, sampler_kind::dry,       sampler_kind::top_n_sigma,
        sampler_kind::top_k,     sampler_kind::typical_p, sampler_kind::top_p,
        sampler_kind::min_p,     sampler_kind::xtc,       sampler_kind::temperature,
    };
};

// What a vocabulary and a context add to it.
struct sampling_limits {
    int n_vocab = 0;
    int n_ctx = 0;
    std::vector<token> end_of_generation;
    std::vector<token> suppressed;  // by the model's file; never chosen
};

// Throws invalid_argument whose message begins with the field's name.
void check(const sampling_params & params, int n_vocab);

// The same with nothing left to find out: the seed drawn, -1 replaced by the context and windows
// no longer than it, ignore_eos and suppressed tokens among the biases, a temperature too small
// to divide by taken for 0, of sequence breakers what upstream reads of them.
sampling_params settled(sampling_params params, const sampling_limits & limits);

// Whether a sampler at its place in `order` can change anything.
bool is_active(sampler_kind kind, const sampling_params & params);

}  // namespace jan
