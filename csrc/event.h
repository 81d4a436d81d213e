// What the engine tells the callers: one batch of events per step, in a few flat arrays that
// are swapped, not copied, and keep their memory.
#pragma once

#include "error.h"
#include "request.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace jan {

struct token_logprob {
    token id;
    float logprob;
};

// A part of one of the batch's arrays.
struct range {
    uint32_t from = 0;
    uint32_t n = 0;
};

struct usage {
    int n_prompt = 0;
    int n_generated = 0;
    int n_cached = 0;     // prompt tokens found in the cache
    int n_evaluated = 0;  // prompt tokens computed for this request
    int n_parked = 0;     // times the request gave way to others
    int n_drafted = 0;    // tokens guessed, each of which took a row of a pass
    int n_accepted = 0;   // of those, how many came
    bool truncated = false;
    double queued_s = 0;   // until it got a lane
    double prefill_s = 0;  // from there to the first token
    double decode_s = 0;   // from the first token to the last
};

struct ending {
    finish_reason reason = finish_reason::stop;
    usage used;
    std::string stop;  // the stop string that was met
    error failure;     // with finish_reason::failed
};

// How far a prompt is, before the first token.
struct prompt_progress {
    int n_cached = 0;  // of its tokens, found in the cache
    int n_read = -1;   // there by now, those included; -1: nothing is told
    double seconds = 0;
};

struct event {
    uint64_t request = 0;
    range text;           // of event_batch::text
    range tokens;         // of event_batch::tokens
    range logprobs;       // of event_batch::logprobs: one per token, each followed by n_top more,
                          // with id -1 where samplers left fewer
    int32_t ending = -1;  // of event_batch::endings; -1: more is to come
    // One event of a request that asked for them has these: of event_batch::prompt_logprobs,
    // prompt_top + 1 for each token of the prompt from the first asked for, but never of its very first.
    range prompt_logprobs;
    int32_t prompt_top = -1;    // -1: this event has none
    bool prompt_whole = false;  // they begin with the prompt
    prompt_progress progress;
};

struct event_batch {
    std::vector<event> events;
    std::string text;
    std::vector<token> tokens;
    std::vector<token_logprob> logprobs;
    std::vector<token_logprob> prompt_logprobs;
    std::vector<ending> endings;

    bool empty() const { return events.empty(); }

    void clear() {
        events.clear();
        text.clear();
        tokens.clear();
        logprobs.clear();
        prompt_logprobs.clear();
        endings.clear();
    }

    // The other's events, after these.
    void append(const event_batch & other) {
        const auto moved = [](range r, size_t by) { return range{r.from + static_cast<uint32_t>(by), r.n}; };
        for (event e : other.events) {
            e.text = moved(e.text, text.size());
            e.tokens = moved(e.tokens, tokens.size());
            e.logprobs = moved(e.logprobs, logprobs.size());
            e.prompt_logprobs = moved(e.prompt_logprobs, prompt_logprobs.size());
            e.ending += e.ending < 0 ? 0 : static_cast<int32_t>(endings.size());
            events.push_back(e);
        }
        text.append(other.text);
        tokens.insert(tokens.end(), other.tokens.begin(), other.tokens.end());
        logprobs.insert(logprobs.end(), other.logprobs.begin(), other.logprobs.end());
        prompt_logprobs.insert(prompt_logprobs.end(), other.prompt_logprobs.begin(),
                               other.prompt_logprobs.end());
        endings.insert(endings.end(), other.endings.begin(), other.endings.end());
    }

    range add_text(std::string_view bytes) {
        const range r{static_cast<uint32_t>(text.size()), static_cast<uint32_t>(bytes.size())};
        text.append(bytes);
        return r;
    }

    template <class Element> static range add(std::vector<Element> & to, const Element * first, size_t n) {
        const range r{static_cast<uint32_t>(to.size()), static_cast<uint32_t>(n)};
        to.insert(to.end(), first, first + n);
        return r;
    }
};

}  // namespace jan
