// check_upstream_chain BACKEND MODEL: what goes through upstream's chain comes out as upstream
// alone chooses it, step by step: DRY, mirostat, adaptive-p, infill. It needs a vocabulary, so a
// Python test writes one and runs this.
#include "check.h"
#include "sampling_reference.h"

#include "abort_guard.h"
#include "error.h"
#include "sampling/llama_chain.h"
#include "sampling/sampler.h"

#include "ggml-backend.h"

namespace {

using namespace jan;

sampling_limits limits_of(const llama_vocab * vocab) {
    sampling_limits l;
    l.n_vocab = llama_vocab_n_tokens(vocab);
    l.n_ctx = 512;
    for (token id = 0; id < l.n_vocab; ++id) {
        if (llama_vocab_is_eog(vocab, id)) {
            l.end_of_generation.push_back(id);
        }
    }
    return l;
}

// How many of the tokens a sampler without the special part would have chosen otherwise.
int compare(const llama_vocab * vocab, const sampling_params & asked, const sampling_params & without) {
    const sampling_limits limits = limits_of(vocab);
    const sampling_params p = settled(asked, limits);
    static const llama_chain_source source(vocab);
    sampler ours(p, limits, &source);
    sampler plain(without, limits, &source);
    const bool dry_first = p.dry_multiplier > 0 && p.order[1] == sampler_kind::dry;
    CHECK((std::string(ours.way()) == "upstream") == !dry_first);
    sampling_params uncut = p;
    uncut.dry_sequence_breakers = asked.dry_sequence_breakers;
    reference::chain theirs(uncut, limits.n_vocab, vocab);
    std::mt19937 random(p.seed);
    std::vector<token> prompt;
    for (int i = 0; i < 100; ++i) {
        prompt.push_back(static_cast<token>(60 + i % 7));  // repeats itself
        theirs.accept(prompt.back());
    }
    ours.accept_prompt(prompt);
    plain.accept_prompt(prompt);
    sampling_scratch scratch;
    int n_changed = 0;
    for (int step = 0; step < 300; ++step) {
        auto row = reference::make_row(reference::row_kind::usual, limits.n_vocab, random);
        row[60 + static_cast<size_t>(step) % 7] += 8;
        ours.keep_probabilities(step % 2);
        const token expected = theirs.choose(row.data());
        const token found = ours.choose(row.data(), scratch);
        CHECK(found == expected);
        if (step % 2) {
            CHECK(scratch.left.size == theirs.left().size);
        }
        n_changed += plain.choose(row.data(), scratch) != found ? 1 : 0;
        ours.accept(expected);
        plain.accept(expected);
        theirs.accept(expected);
    }
    return n_changed;
}

// Breakers that are one token, several, and longer than upstream reads.
void compare_breakers(const llama_vocab * vocab, sampling_params p, const sampling_params & plain) {
    for (const char * breaker : {"ABC", "BCDEF", "=>", "@", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}) {
        p.dry_sequence_breakers = {breaker, "<=>?@A", std::string("=>\0?", 4)};
        for (const int length : {0, 1, 5}) {
            p.dry_allowed_length = length;
            p.dry_base = 1 + 0.2f * static_cast<float>(length);
            compare(vocab, p, plain);
        }
    }
}

void test_equal_breakers_are_found_once(const llama_vocab * vocab) {
    const llama_chain_source source(vocab);
    const auto breakers = [&](std::vector<std::string> texts) {
        sampling_params p;
        p.dry_multiplier = 1;
        p.dry_sequence_breakers = std::move(texts);
        return source.breakers(settled(p, limits_of(vocab)).dry_sequence_breakers);
    };
    CHECK(breakers({std::string(50, 'B'), "A"}) == breakers({"A", "", std::string(1000, 'B'), "A"}));
    CHECK(breakers({std::string("A\0B", 3)}) == breakers({"A"}));
    CHECK(breakers({"A"}) != breakers({"B"}));
}

void test_upstreams_own_samplers(const llama_vocab * vocab) {
    for (uint32_t seed = 1; seed <= 5; ++seed) {
        sampling_params plain;
        plain.seed = seed;
        plain.temperature = 0.8f;
        plain.top_k = 40;
        sampling_params p = plain;
        p.dry_multiplier = 2;
        CHECK(compare(vocab, p, plain) > 0);
        p.dry_sequence_breakers = {"", "A", std::string(100, 'B'), "<=>?"};
        CHECK(compare(vocab, p, plain) > 0);
        const auto usual = p.order;
        for (const bool at_the_end : {true, false}) {
            p.order = usual;
            if (at_the_end) {
                p.order.erase(std::find(p.order.begin(), p.order.end(), sampler_kind::dry));
                p.order.push_back(sampler_kind::dry);
            }
            compare_breakers(vocab, p, plain);
        }
        p.dry_penalty_last_n = 20;
        p.dry_allowed_length = 0;
        p.repeat_penalty = 1.2f;
        CHECK(compare(vocab, p, plain) > 0);
        for (const int version : {1, 2}) {
            p = plain;
            p.mirostat = version;
            p.mirostat_tau = 3;
            p.biases = {{70, 3}, {71, -INFINITY}};
            CHECK(compare(vocab, p, plain) > 0);
        }
        p = plain;
        p.order.push_back(sampler_kind::adaptive_p);
        p.adaptive_target = 0.3f;
        CHECK(compare(vocab, p, plain) > 0);
        p = plain;
        p.top_k = 10;
        p.order.push_back(sampler_kind::infill);
        CHECK(compare(vocab, p, plain) > 0);
    }
}

void test_extreme_values_come_to_a_token(const llama_vocab * vocab) {
    const sampling_limits limits = limits_of(vocab);
    const llama_chain_source source(vocab);
    std::mt19937 random(1);
    sampling_scratch scratch;
    const auto of = [&](std::initializer_list<float> from) { return from.begin()[random() % from.size()]; };
    for (int round = 0; round < 3000; ++round) {
        sampling_params p;
        p.temperature = of({1e-5f, 0.5f, 1e6f});
        p.mirostat = static_cast<int>(random() % 3);
        p.mirostat_tau = of({0, 1e-30f, 5, 100});
        p.mirostat_eta = of({0, 0.1f, 1});
        p.dry_multiplier = of({0, 1e-30f, 1e4f});
        p.dry_base = of({0, 1, 1.0000001f, 1e4f});
        p.dry_allowed_length = static_cast<int>(of({0, 1, 1e9f}));
        p.dry_sequence_breakers = {"", "\n"};
        p.top_k = static_cast<int>(of({0, 1, 5, 128}));
        p.adaptive_target = of({-1, 0, 1e-30f, 1});
        p.adaptive_decay = of({0, 0.99f});
        p.ignore_eos = random() % 2;
        if (random() % 2) {
            p.order.push_back(sampler_kind::adaptive_p);
        }
        if (p.top_k > 0 && random() % 2) {
            p.order.push_back(sampler_kind::infill);
        }
        sampler s(p, limits, &source);
        s.keep_probabilities(random() % 2);
        s.accept_prompt(std::vector<token>(random() % 600, 65));
        for (int step = 0; step < 4; ++step) {
            auto row = reference::make_row(
                static_cast<reference::row_kind>(random() % reference::n_row_kinds), limits.n_vocab, random);
            for (size_t i = random() % 3; i < row.size() && random() % 2; i += 1 + random() % 3) {
                row[i] = of({NAN, INFINITY, -INFINITY, 3e38f, -3e38f});
            }
            const token chosen = s.choose(row.data(), scratch);
            CHECK(chosen >= 0 && chosen < limits.n_vocab);
            s.accept(chosen);
        }
    }
}

// Infill wants to end the text as soon as the model is in doubt, whatever was asked for.
void test_a_banned_token_never_comes_out_of_the_chain(const llama_vocab * vocab) {
    const sampling_limits limits = limits_of(vocab);
    const llama_chain_source source(vocab);
    CHECK(!limits.end_of_generation.empty());
    sampling_scratch scratch;
    for (const bool ignores : {false, true}) {
        sampling_params p;
        p.seed = 1;
        p.top_k = 100;
        p.order = {sampler_kind::top_k, sampler_kind::infill};
        p.ignore_eos = ignores;
        p.biases = {{80, -INFINITY}};
        sampler s(p, limits, &source);
        std::vector<float> row(static_cast<size_t>(limits.n_vocab), 0.0f);
        row[80] = 20;
        row[90] = 0.1f;
        const token chosen = s.choose(row.data(), scratch);
        const auto & ends = limits.end_of_generation;
        CHECK((std::find(ends.begin(), ends.end(), chosen) != ends.end()) == !ignores);
        CHECK(!ignores || chosen == 90);
        CHECK(row[80] == 20);
        CHECK(scratch.upstream.size() == row.size() * sizeof(llama_token_data));  // not in the sampler
    }
}

// Inside the guard that blames the file for whatever comes without one of its own.
void test_a_failed_assertion_is_not_the_files_fault() {
    for (const errc blame : {errc::backend_failure, errc::bad_model_file}) {
        errc code = errc::internal;
        try {
            const abort_guard outer;
            const abort_guard guard(blame);
            GGML_ABORT("on purpose");
        } catch (const error & e) {
            code = e.code;
        }
        CHECK(code == blame);
    }
}

}  // namespace

int main(int argc, char ** argv) {
    if (argc != 3) {
        std::fprintf(stderr, "usage: check_upstream_chain BACKEND MODEL\n");
        return 2;
    }
    llama_log_set([](ggml_log_level, const char *, void *) {}, nullptr);
    ggml_backend_load(argv[1]);
    llama_model_params params = llama_model_default_params();
    params.vocab_only = true;
    llama_model * model = llama_model_load_from_file(argv[2], params);
    if (!model) {
        std::fprintf(stderr, "cannot load model %s\n", argv[2]);
        return 1;
    }
    test_upstreams_own_samplers(llama_model_get_vocab(model));
    test_a_banned_token_never_comes_out_of_the_chain(llama_model_get_vocab(model));
    test_a_failed_assertion_is_not_the_files_fault();
    test_equal_breakers_are_found_once(llama_model_get_vocab(model));
    test_extreme_values_come_to_a_token(llama_model_get_vocab(model));
    llama_model_free(model);
    CHECK_DONE();
}
