// The whole engine but the model, driven by random scripts: whoever shares the machine, every
// request gets the text it would get alone, and after every step the books agree.
#include "check.h"
#include "engine_script.h"

#include "error.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace {

using namespace jan;
using namespace script;

null_options lanes(kv_mode mode, int n_lanes, int n_ctx, int64_t n_cells) {
    null_options o;
    o.n_vocab = n_vocab;
    o.max_rows = 64;
    o.shape = {mode, n_lanes, n_cells, n_ctx, true};
    return o;
}

// A set for which nothing is computed otherwise. Equal ones need not be the same one.
std::shared_ptr<const adapter_set> named_set(int i) {
    return std::make_shared<adapter_set>(adapter_set{{}, std::string(1, static_cast<char>('a' + i))});
}

void test_random_script(kv_mode mode, unsigned seed, bool adapted = false) {
    std::mt19937 random(seed);
    const auto up_to = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n + 1)); };
    const int n_ctx = 100 + up_to(200);
    const int n_lanes = 1 + up_to(11);
    const int64_t n_cells = mode == kv_mode::unified ? n_ctx + up_to(n_ctx * n_lanes) : n_ctx * n_lanes;
    engine_options options = tested();
    options.schedule.turn_s = 1e-4 * up_to(3);
    engine e(std::make_unique<null_forward>(lanes(mode, n_lanes, n_ctx, n_cells)), pieces(), options);

    std::vector<token> shared(90);
    for (token & id : shared) {
        id = up_to(n_vocab - 1);
    }
    std::map<uint64_t, request> asked;
    std::map<uint64_t, answer> answers;
    std::map<uint64_t, bool> cancelled;
    for (int i = 0; i < 120; ++i) {
        request r;
        r.prompt.assign(shared.begin(), shared.begin() + up_to(static_cast<int>(shared.size())));
        for (int j = 1 + up_to(30); j > 0 && static_cast<int>(r.prompt.size()) < n_ctx; --j) {
            r.prompt.push_back(up_to(n_vocab - 1));
        }
        r.max_tokens = up_to(9) ? up_to(120) : -1;
        r.cache_prompt = up_to(5) != 0;
        r.cache_salt = up_to(3) ? "" : "another";
        r.adapters = adapted && up_to(1) ? named_set(up_to(2)) : nullptr;
        r.caller = std::string(1, static_cast<char>('a' + up_to(2)));
        r.stream = up_to(1) != 0;
        r.ignore_eos = up_to(1) != 0;
        const uint64_t id = e.submit(r);
        asked[id] = r;
        if (up_to(6) == 0) {
            auto victim = asked.begin();
            std::advance(victim, up_to(static_cast<int>(asked.size()) - 1));
            e.cancel(victim->first);
            cancelled[victim->first] = true;
        }
        if (up_to(3) == 0) {
            read(e, answers, 0.001);
        }
    }
    read_until_ended(e, answers, asked.size());
    for (const auto & [id, r] : asked) {
        const answer & a = answers[id];
        const std::vector<token> whole = expected(r, n_ctx);
        if (a.last.reason == finish_reason::cancelled) {
            CHECK(cancelled[id]);
            CHECK(a.tokens.size() <= whole.size());
            CHECK(std::equal(a.tokens.begin(), a.tokens.end(), whole.begin()));
            continue;
        }
        CHECK(a.last.reason != finish_reason::failed);
        CHECK(a.tokens == whole);
        CHECK(a.last.used.n_prompt == static_cast<int>(r.prompt.size()));
        CHECK(a.last.used.n_generated == static_cast<int>(whole.size()));
        if (a.last.used.n_parked == 0) {
            CHECK(a.last.used.n_cached + a.last.used.n_evaluated == a.last.used.n_prompt);
        }
        std::string text;
        for (const token t : whole) {
            text += t == last_token && !r.ignore_eos ? "" : std::string(1, static_cast<char>('0' + t));
        }
        CHECK(a.text == text);
    }
    CHECK(e.stats().n_failed_passes == 0);
    CHECK(e.stats().n_finished == asked.size());
}

void test_a_full_cache_fails_nobody() {
    engine e(std::make_unique<null_forward>(lanes(kv_mode::unified, 8, 200, 300)), pieces(), tested());
    std::map<uint64_t, request> asked;
    std::map<uint64_t, answer> answers;
    for (int i = 0; i < 8; ++i) {
        request r;
        r.prompt.assign(20, i);
        r.max_tokens = 150;
        r.ignore_eos = true;
        asked[e.submit(r)] = r;
    }
    read_until_ended(e, answers, asked.size());
    for (const auto & [id, r] : asked) {
        CHECK(answers[id].tokens == expected(r, 200));
    }
    CHECK(e.stats().n_parked > 0);
}

void test_a_shared_prefix_is_computed_once(kv_mode mode) {
    engine e(std::make_unique<null_forward>(lanes(mode, 32, 2000, 64000)), pieces(), tested());
    std::map<uint64_t, answer> answers;
    for (int i = 0; i < 32; ++i) {
        request r;
        r.prompt.assign(1000, 3);
        r.prompt.push_back(i);
        r.prompt.push_back(1);
        r.max_tokens = 4;
        e.submit(r);
    }
    read_until_ended(e, answers, 32);
    CHECK(e.stats().n_prompt_tokens <= 1000 + 32 * 3);
}

void test_salts_keep_tenants_apart() {
    engine e(std::make_unique<null_forward>(lanes(kv_mode::unified, 4, 2000, 8000)), pieces(), tested());
    std::map<uint64_t, answer> answers;
    for (const char * salt : {"mine", "yours", "mine"}) {
        request r;
        r.prompt.assign(500, 3);
        r.max_tokens = 1;
        r.cache_salt = salt;
        const uint64_t id = e.submit(r);
        read_until_ended(e, answers, answers.size() + 1);
        CHECK((answers[id].last.used.n_cached > 0) == (id == 3));
    }
}

void test_a_failing_row_ends_its_request_alone() {
    null_options o = lanes(kv_mode::unified, 8, 200, 1600);
    o.fail_token = 39;
    engine e(std::make_unique<null_forward>(o), pieces(), tested());
    std::map<uint64_t, request> asked;
    std::map<uint64_t, answer> answers;
    for (int i = 0; i < 8; ++i) {
        request r;
        r.prompt.assign(10, i == 5 ? 39 : i);
        r.max_tokens = 8;
        r.ignore_eos = true;
        asked[e.submit(r)] = r;
    }
    read_until_ended(e, answers, 8);
    for (const auto & [id, r] : asked) {
        const std::vector<token> whole = expected(r, 200);
        const bool fails = r.prompt[0] == 39 || std::count(whole.begin(), whole.end() - 1, 39) > 0;
        CHECK((answers[id].last.reason == finish_reason::failed) == fails);
        if (!fails) {
            CHECK(answers[id].tokens == whole);
        }
    }
}

void test_overflow_ends_or_shifts(kv_mode mode) {
    engine e(std::make_unique<null_forward>(lanes(mode, 2, 100, 200)), pieces(), tested());
    std::map<uint64_t, answer> answers;
    request r;
    r.prompt.assign(50, 3);
    r.ignore_eos = true;
    const uint64_t ends = e.submit(r);
    r.shift_context = true;
    r.n_keep = 10;
    r.max_tokens = 400;
    const uint64_t shifts = e.submit(r);
    read_until_ended(e, answers, 2);
    CHECK(answers[ends].tokens.size() == 51);
    CHECK(answers[ends].last.reason == finish_reason::length);
    CHECK(!answers[ends].last.used.truncated);
    CHECK(answers[shifts].tokens.size() == 400);
    CHECK(answers[shifts].last.used.truncated);
    CHECK(e.stats().n_shifted > 2);
}

// Streams that stay after others have gone are moved together, and keep their text.
void test_scattered_lanes_close_up() {
    null_options o = lanes(kv_mode::streams, 16, 400, 6400);
    o.pass_s = 0.001;
    engine e(std::make_unique<null_forward>(o), pieces(), tested());
    std::map<uint64_t, request> asked;
    std::map<uint64_t, answer> answers;
    for (int i = 0; i < 16; ++i) {
        request r;
        r.prompt.assign(5, i);
        r.ignore_eos = true;
        r.max_tokens = i % 5 == 0 ? 300 : 10;
        asked[e.submit(r)] = r;
    }
    read_until_ended(e, answers, asked.size());
    for (const auto & [id, r] : asked) {
        CHECK(answers[id].tokens == expected(r, 400));
    }
    CHECK(e.stats().n_moved > 0);
    CHECK(e.stats().n_passes < 2 * e.stats().n_steps);  // scattered they would take four each
}

void test_the_queue_is_bounded_and_close_drains() {
    null_options o = lanes(kv_mode::unified, 2, 400, 800);
    o.pass_s = 0.002;
    engine_options few = tested();
    few.max_waiting = 3;
    std::map<uint64_t, answer> answers;
    engine e(std::make_unique<null_forward>(o), pieces(), few);
    request r;
    r.prompt.assign(5, 1);
    r.ignore_eos = true;
    r.max_tokens = 20;
    size_t n_taken = 0;
    bool refused = false;
    for (int i = 0; i < 10; ++i) {
        try {
            e.submit(r);
            ++n_taken;
        } catch (const error & why) {
            refused = true;
            CHECK(why.code == errc::queue_full);
            CHECK(why.facts.size() == 1 && why.facts[0].second >= 1000);
        }
    }
    CHECK(refused);
    CHECK(n_taken >= 5);
    e.close(true);
    try {
        e.submit(r);
        CHECK(false);
    } catch (const error & why) {
        CHECK(why.code == errc::engine_closed);
    }
    read_until_ended(e, answers, n_taken);
    for (const auto & [id, a] : answers) {
        CHECK(a.last.reason == finish_reason::length);
    }
    event_batch batch;
    while (e.take(batch, 0.05)) {
        CHECK(batch.empty());
    }
}

void test_cancel_frees_cells_within_one_step() {
    null_options o = lanes(kv_mode::unified, 4, 4000, 16000);
    o.pass_s = 0.1;  // longer than this thread may be kept from looking
    engine e(std::make_unique<null_forward>(o), pieces(), tested());
    std::map<uint64_t, answer> answers;
    request r;
    r.prompt.assign(50, 1);
    r.ignore_eos = true;
    r.cache_prompt = false;
    const uint64_t stays = e.submit(r);
    r.prompt.assign(60, 2);
    const uint64_t goes = e.submit(r);
    while (answers[stays].tokens.empty() || answers[goes].tokens.empty()) {
        read(e, answers, 0.1);
    }
    const uint64_t n_steps = e.stats().n_steps;
    e.cancel(goes);
    while (!answers[goes].ended) {
        read(e, answers, 0.1);
    }
    CHECK(e.stats().n_steps <= n_steps + 2);  // the one that ran, and one whose events we had not read
    CHECK(e.stats().n_cells_used <= 60 + static_cast<int64_t>(answers[stays].tokens.size()));
}

void test_cancel_is_obeyed_by_many_threads() {
    engine e(std::make_unique<null_forward>(lanes(kv_mode::unified, 16, 400, 6400)), pieces(), tested());
    std::map<uint64_t, answer> answers;
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&e, t] {
            for (int i = 0; i < 50; ++i) {
                request r;
                r.prompt.assign(static_cast<size_t>(5 + i), t);
                r.ignore_eos = true;
                e.cancel(e.submit(r));
            }
        });
    }
    for (std::thread & t : threads) {
        t.join();
    }
    read_until_ended(e, answers, 200);
    CHECK(e.stats().n_finished == 200);
}

}  // namespace

int main() {
    for (unsigned seed = 1; seed <= 40; ++seed) {
        test_random_script(kv_mode::unified, seed);
        test_random_script(kv_mode::streams, seed);
        test_random_script(kv_mode::unified, seed, true);
        test_random_script(kv_mode::streams, seed, true);
        if (check::n_failed) {
            std::fprintf(stderr, "seed %u\n", seed);
            break;
        }
    }
    test_a_full_cache_fails_nobody();
    test_a_shared_prefix_is_computed_once(kv_mode::unified);
    test_a_shared_prefix_is_computed_once(kv_mode::streams);
    test_salts_keep_tenants_apart();
    test_a_failing_row_ends_its_request_alone();
    test_overflow_ends_or_shifts(kv_mode::unified);
    test_overflow_ends_or_shifts(kv_mode::streams);
    test_scattered_lanes_close_up();
    test_the_queue_is_bounded_and_close_drains();
    test_cancel_frees_cells_within_one_step();
    test_cancel_is_obeyed_by_many_threads();
    CHECK_DONE();
}
