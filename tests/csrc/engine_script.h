// For tests of the whole engine over null_forward: its vocabulary, a reader of events, and what each
// request gives when it is alone.
#pragma once

#include "check.h"

#include "engine.h"
#include "null_forward.h"

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace script {

using namespace jan;

constexpr int n_vocab = 40;
constexpr token last_token = 7;  // ends a generation

inline std::shared_ptr<const piece_table> pieces() {
    auto table = std::make_shared<piece_table>();
    for (token id = 0; id < n_vocab; ++id) {
        table->add(std::string(1, static_cast<char>('0' + id)), id == last_token);
    }
    return table;
}

struct answer {
    std::string text;
    std::vector<token> tokens;
    std::vector<token_logprob> logprobs;
    bool ended = false;
    ending last;
};

// What a request gives when it is alone and the cache endless.
inline std::vector<token> expected(const request & r, int n_ctx, int n_memory = 0) {
    std::vector<token> all = r.prompt;
    std::vector<token> made;
    while ((r.max_tokens < 0 || static_cast<int>(made.size()) < r.max_tokens) &&
           static_cast<int>(all.size()) <= n_ctx) {
        const token next = null_forward::next(all, n_vocab, n_memory);
        made.push_back(next);
        all.push_back(next);
        if (next == last_token && !r.ignore_eos) {
            break;
        }
    }
    return made;
}

inline void read(engine & e, std::map<uint64_t, answer> & answers, double timeout_s) {
    event_batch batch;
    if (!e.take(batch, timeout_s)) {
        return;
    }
    for (const event & told : batch.events) {
        answer & a = answers[told.request];
        CHECK(!a.ended);  // nothing comes after the end
        a.text.append(batch.text, told.text.from, told.text.n);
        const auto first = batch.tokens.begin() + told.tokens.from;
        a.tokens.insert(a.tokens.end(), first, first + told.tokens.n);
        const auto first_logprob = batch.logprobs.begin() + told.logprobs.from;
        a.logprobs.insert(a.logprobs.end(), first_logprob, first_logprob + told.logprobs.n);
        if (told.ending >= 0) {
            a.ended = true;
            a.last = batch.endings[static_cast<size_t>(told.ending)];
        }
    }
}

inline void read_until_ended(engine & e, std::map<uint64_t, answer> & answers, size_t n) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    const auto n_ended = [&] {
        size_t count = 0;
        for (const auto & [id, a] : answers) {
            count += a.ended ? 1 : 0;
        }
        return count;
    };
    while (n_ended() < n && std::chrono::steady_clock::now() < deadline) {
        read(e, answers, 0.1);
    }
    CHECK(n_ended() == n);
}

inline engine_options tested() {
    engine_options o;
    o.check_integrity = true;
    return o;
}

}  // namespace script
