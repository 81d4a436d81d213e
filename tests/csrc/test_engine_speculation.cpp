// Guessing ahead changes when tokens come and never which: over models whose next token depends on
// few tokens before it, so that texts repeat themselves, and guesses are often right and often wrong.
#include "check.h"
#include "engine_script.h"

#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace {

using namespace jan;
using namespace script;

null_options repetitive(kv_mode mode, int n_lanes, int n_ctx, int64_t n_cells, int n_memory) {
    null_options o;
    o.n_vocab = n_vocab;
    o.n_memory = n_memory;
    o.max_rows = 64;
    o.max_outputs = 48;
    o.shape = {mode, n_lanes, n_cells, n_ctx, true};
    // Time that guesses are worth: rows are cheap beside passes.
    o.pass_s = 0.0002;
    o.row_s = 0.000001;
    return o;
}

sampling_params drawn(unsigned seed) {
    sampling_params p;
    p.seed = seed;
    p.temperature = 0.7f;  // the model's one-hot logits leave other tokens a share
    p.top_k = 8;
    p.repeat_penalty = 1.05f;
    return p;
}

uint64_t run_script(kv_mode mode, unsigned seed, bool speculates, std::map<uint64_t, answer> & answers,
                    std::map<uint64_t, request> & asked) {
    std::mt19937 random(seed);
    const auto up_to = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n + 1)); };
    const int n_memory = 2 + up_to(4);
    const int n_ctx = 100 + up_to(200);
    const int n_lanes = 1 + up_to(7);
    const int64_t n_cells = mode == kv_mode::unified ? n_ctx + up_to(n_ctx * n_lanes) : n_ctx * n_lanes;
    engine_options options = tested();
    options.schedule.speculation = speculates;
    engine e(std::make_unique<null_forward>(repetitive(mode, n_lanes, n_ctx, n_cells, n_memory)), pieces(),
             options);
    for (int i = 0; i < 40; ++i) {
        request r;
        for (int j = 1 + up_to(60); j > 0; --j) {
            r.prompt.push_back(up_to(n_vocab - 1));
        }
        r.max_tokens = up_to(9) ? up_to(150) : -1;
        r.cache_prompt = up_to(5) != 0;
        r.stream = up_to(1) != 0;
        r.ignore_eos = up_to(2) != 0;
        r.n_top = up_to(3) - 1;
        r.speculate = up_to(7) != 0;
        r.stop.assign(up_to(3) ? 0 : 1, std::string(1, static_cast<char>('0' + up_to(n_vocab - 1))));
        r.shift_context = up_to(7) == 0 && r.max_tokens > 0;
        r.sampling = up_to(1) ? std::make_shared<sampling_params>(drawn(static_cast<unsigned>(i))) : nullptr;
        asked[e.submit(r)] = r;
        if (up_to(3) == 0) {
            read(e, answers, 0.001);
        }
    }
    read_until_ended(e, answers, asked.size());
    CHECK(e.stats().n_failed_passes == 0);
    uint64_t n_accepted = 0;
    for (const auto & [id, r] : asked) {
        const answer & a = answers[id];
        const usage & used = a.last.used;
        CHECK(a.last.reason != finish_reason::failed);
        CHECK(used.n_accepted <= used.n_drafted);
        CHECK(r.speculate || used.n_drafted == 0);
        CHECK(used.n_generated == static_cast<int>(a.tokens.size()));
        CHECK(a.logprobs.size() == a.tokens.size() * static_cast<size_t>(r.n_top + 1));
        for (size_t i = 0; r.n_top >= 0 && i < a.tokens.size(); ++i) {
            CHECK(a.logprobs[i * static_cast<size_t>(r.n_top + 1)].id == a.tokens[i]);
        }
        if (!r.sampling && r.stop.empty() && !r.shift_context) {
            CHECK(a.tokens == expected(r, n_ctx, n_memory));
        }
        n_accepted += static_cast<uint64_t>(used.n_accepted);
    }
    CHECK(e.stats().n_accepted == n_accepted);
    return n_accepted;
}

void test_random_scripts_give_the_same_with_and_without() {
    uint64_t n_accepted = 0;
    for (unsigned seed = 1; seed <= 6; ++seed) {
        for (const kv_mode mode : {kv_mode::unified, kv_mode::streams}) {
            std::map<uint64_t, answer> with, without;
            std::map<uint64_t, request> asked;
            n_accepted += run_script(mode, seed, true, with, asked);
            CHECK(run_script(mode, seed, false, without, asked) == 0);
            for (const auto & [id, r] : asked) {
                const answer & a = with[id];
                const answer & b = without[id];
                // A shift drops half of what is computed, which parking changes, as without guesses.
                if (r.shift_context && a.last.used.truncated) {
                    continue;
                }
                CHECK(a.tokens == b.tokens);
                CHECK(a.text == b.text);
                CHECK(a.last.reason == b.last.reason);
                CHECK(a.last.stop == b.last.stop);
                CHECK(a.logprobs.size() == b.logprobs.size());
                for (size_t i = 0; i < std::min(a.logprobs.size(), b.logprobs.size()); ++i) {
                    CHECK(a.logprobs[i].id == b.logprobs[i].id);
                    CHECK(a.logprobs[i].logprob == b.logprobs[i].logprob);
                }
            }
            if (check::n_failed) {
                std::fprintf(stderr, "seed %u\n", seed);
                return;
            }
        }
    }
    CHECK(n_accepted > 500);
}

// One stream over a model that repeats itself; what it gave and in how many passes.
answer alone(const request & r, bool speculates, uint64_t & n_passes, bool calibrated = true) {
    engine_options options = tested();
    options.calibrate_s = calibrated ? options.calibrate_s : 0;
    options.schedule.speculation = speculates;
    engine e(std::make_unique<null_forward>(repetitive(kv_mode::unified, 1, 1000, 1000, 2)), pieces(),
             options);
    const uint64_t n_before = e.stats().n_passes;
    std::map<uint64_t, answer> answers;
    const uint64_t id = e.submit(r);
    read_until_ended(e, answers, 1);
    n_passes = e.stats().n_passes - n_before;
    return answers[id];
}

void test_a_text_that_repeats_itself_takes_few_passes() {
    request r;
    r.prompt = {1, 2, 3};
    r.max_tokens = 400;
    r.ignore_eos = true;
    uint64_t n_with = 0;
    uint64_t n_without = 0;
    const answer with = alone(r, true, n_with);
    CHECK(with.tokens == alone(r, false, n_without).tokens);
    CHECK(with.tokens.size() == 400);
    CHECK(n_without >= 400);
    CHECK(n_with < 200);
    CHECK(with.last.used.n_accepted > 200);
}

// No pass of more than one row was ever seen when there is first something to guess.
void test_it_does_where_nothing_was_measured_before_too() {
    request r;
    r.prompt = {1};
    r.max_tokens = 400;
    r.ignore_eos = true;
    uint64_t n_with = 0;
    const answer with = alone(r, true, n_with, false);
    CHECK(with.tokens.size() == 400);
    CHECK(n_with < 200);
    CHECK(with.last.used.n_accepted > 200);
}

// Wherever the text ends, in the middle of a run of right guesses too, nothing comes after it.
void test_an_end_in_the_middle_of_right_guesses_is_the_end() {
    request r;
    r.prompt = {1, 2, 3};
    r.max_tokens = 300;
    r.n_top = 1;
    r.ignore_eos = true;
    uint64_t n_passes = 0;
    const answer whole = alone(r, true, n_passes);
    bool in_the_middle = false;
    for (int n = 200; n < 230; ++n) {
        r.max_tokens = n;
        const answer cut = alone(r, true, n_passes);
        CHECK(static_cast<int>(cut.tokens.size()) == n);
        CHECK(std::equal(cut.tokens.begin(), cut.tokens.end(), whole.tokens.begin()));
        CHECK(cut.logprobs.size() == 2 * cut.tokens.size());
        CHECK(cut.last.used.n_drafted >= cut.last.used.n_accepted);
    }
    r.max_tokens = 300;
    for (size_t n = 100; n < 130; ++n) {  // a stop string that is met with every turn of the loop
        r.stop = {whole.text.substr(n, 25)};
        const size_t at = whole.text.find(r.stop[0]);
        const answer stopped = alone(r, true, n_passes);
        CHECK(stopped.text == whole.text.substr(0, at));
        CHECK(stopped.last.reason == finish_reason::stop && stopped.last.stop == r.stop[0]);
        CHECK(stopped.tokens.size() == at + 25);
        CHECK(stopped.logprobs.size() == 2 * stopped.tokens.size());
        in_the_middle = in_the_middle || stopped.last.used.n_accepted < stopped.last.used.n_drafted;
    }
    CHECK(in_the_middle);
}

void test_cancel_in_the_middle_frees_the_lane() {
    null_options o = repetitive(kv_mode::streams, 2, 4000, 8000, 2);
    o.pass_s = 0.005;
    engine e(std::make_unique<null_forward>(o), pieces(), tested());
    std::map<uint64_t, answer> answers;
    request r;
    r.prompt = {1, 2, 3};
    r.ignore_eos = true;
    for (int i = 0; i < 6; ++i) {
        const uint64_t id = e.submit(r);
        while (answers[id].tokens.size() < 60) {
            read(e, answers, 0.1);
        }
        e.cancel(id);
    }
    read_until_ended(e, answers, 6);
    const std::vector<token> whole = expected(r, 4000, 2);
    for (const auto & [id, a] : answers) {
        CHECK(a.last.reason == finish_reason::cancelled);
        CHECK(std::equal(a.tokens.begin(), a.tokens.end(), whole.begin()));
    }
    CHECK(e.stats().n_accepted > 0);
}

// A state that cannot be cut takes no guesses.
void test_what_cannot_be_cut_guesses_nothing() {
    null_options o = repetitive(kv_mode::streams, 2, 1000, 2000, 2);
    o.shape.can_truncate = false;
    engine e(std::make_unique<null_forward>(o), pieces(), tested());
    std::map<uint64_t, answer> answers;
    request r;
    r.prompt = {1, 2, 3};
    r.max_tokens = 300;
    r.ignore_eos = true;
    e.submit(r);
    read_until_ended(e, answers, 1);
    CHECK(answers[1].tokens == expected(r, 1000, 2));
    CHECK(e.stats().n_drafted == 0);
}

}  // namespace

int main() {
    test_random_scripts_give_the_same_with_and_without();
    test_a_text_that_repeats_itself_takes_few_passes();
    test_it_does_where_nothing_was_measured_before_too();
    test_an_end_in_the_middle_of_right_guesses_is_the_end();
    test_cancel_in_the_middle_frees_the_lane();
    test_what_cannot_be_cut_guesses_nothing();
    CHECK_DONE();
}
