// What a caller asks the engine for. Plain data, immutable once submitted.
#pragma once

#include "adapter_set.h"
#include "constraint/constraint.h"
#include "sampling/sampling_params.h"
#include "token.h"
#include "token_rules.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace jan {

struct request {
    uint64_t id = 0;  // unique within an engine; 0 is nobody
    std::vector<token> prompt;
    int max_tokens = -1;            // -1: until the context is full
    int n_top = -1;                 // log-probabilities: -1 none, 0 of the chosen token, n of the n best too
    bool logprobs_of_left = false;  // of what the samplers left, not of all that the model says
    int prompt_top = -1;            // the same of the prompt's tokens; -1: of none
    int prompt_top_from = 0;        // and of these only from here on: what is before may be reused
    std::shared_ptr<const sampling_params> sampling;      // null: the most likely token
    std::shared_ptr<const constraint_params> constraint;  // null: any text
    std::shared_ptr<const adapter_set> adapters;          // null: the model as it is
    std::shared_ptr<const token_rules> rules;             // null: none
    std::vector<token> shown;                             // tokens that are usually not, as they are written
    int n_indent = 0;                                     // spaces or tabs that each new line must begin with
    int64_t t_max_predict_ms = 0;  // from the first token, once there was a new line; 0 = no end
    int n_keep = 0;                // prompt tokens that survive a context shift
    bool shift_context = false;
    bool ignore_eos = false;   // with `sampling` such tokens are banned, otherwise passed over
    bool cache_prompt = true;  // false: reuses nobody's cells and offers its own to nobody
    // The same request gives the same tokens and log-probabilities, bit for bit, whatever else the engine
    // computes: its rows have passes of their own, cut alike every time, and it neither reuses cells nor
    // guesses.
    bool deterministic = false;
    bool speculate = true;   // false: no row is spent on guesses of what it will say
    bool stream = true;      // false: all text comes with the last event
    bool progress = false;   // with stream: events tell how far its prompt has been read
    std::string cache_salt;  // equal prompts share cells only under equal salts
    std::string caller;      // waiting callers take turns; "" is a caller too
    std::vector<std::string> stop;
};

// Log-probabilities of one prompt that are kept until they are told: 128 MiB.
constexpr int64_t max_prompt_logprobs = int64_t{1} << 24;

// Throws invalid_argument or context_overflow. What `sampling` asks for is checked by the sampler.
void check(const request & ask, int n_ctx, int n_vocab);

enum class finish_reason : int {
    stop = 0,   // the model ended its turn, or a stop string was met
    length,     // max_tokens or the context was reached
    cancelled,  // by its caller, or the engine closed
    failed,     // see the event's error
};

}  // namespace jan
