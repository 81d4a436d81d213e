// Whatever the parameters and the logits, there is a token or an error that names the field.
#include "check.h"
#include "sampling_reference.h"

#include "error.h"
#include "sampling/sampler.h"

#include <cfloat>
#include <climits>
#include <functional>
#include <utility>

namespace {

using namespace jan;

sampling_limits limits(int n_vocab) {
    sampling_limits l;
    l.n_vocab = n_vocab;
    l.n_ctx = 256;
    l.end_of_generation = {1, 2};
    return l;
}

std::string refusal(const sampling_params & p) {
    try {
        jan::check(p, 100);
    } catch (const error & e) {
        CHECK(e.code == errc::invalid_argument);
        return e.message.substr(0, e.message.find(':'));
    }
    return "";
}

void test_a_refusal_begins_with_the_fields_name() {
    const std::pair<const char *, std::function<float &(sampling_params &)>> fields[] = {
        {"temperature", [](auto & p) -> float & { return p.temperature; }},
        {"dynatemp_range", [](auto & p) -> float & { return p.dynatemp_range; }},
        {"dynatemp_exponent", [](auto & p) -> float & { return p.dynatemp_exponent; }},
        {"top_p", [](auto & p) -> float & { return p.top_p; }},
        {"min_p", [](auto & p) -> float & { return p.min_p; }},
        {"typical_p", [](auto & p) -> float & { return p.typical_p; }},
        {"top_n_sigma", [](auto & p) -> float & { return p.top_n_sigma; }},
        {"xtc_probability", [](auto & p) -> float & { return p.xtc_probability; }},
        {"xtc_threshold", [](auto & p) -> float & { return p.xtc_threshold; }},
        {"repeat_penalty", [](auto & p) -> float & { return p.repeat_penalty; }},
        {"frequency_penalty", [](auto & p) -> float & { return p.frequency_penalty; }},
        {"presence_penalty", [](auto & p) -> float & { return p.presence_penalty; }},
        {"dry_multiplier", [](auto & p) -> float & { return p.dry_multiplier; }},
        {"dry_base", [](auto & p) -> float & { return p.dry_base; }},
        {"mirostat_tau", [](auto & p) -> float & { return p.mirostat_tau; }},
        {"mirostat_eta", [](auto & p) -> float & { return p.mirostat_eta; }},
        {"adaptive_target", [](auto & p) -> float & { return p.adaptive_target; }},
        {"adaptive_decay", [](auto & p) -> float & { return p.adaptive_decay; }},
    };
    CHECK(refusal(sampling_params()).empty());
    for (const auto & [name, field] : fields) {
        for (const float bad : {NAN, -NAN, INFINITY, -INFINITY, FLT_MAX, -FLT_MAX}) {
            sampling_params p;
            field(p) = bad;
            CHECK(refusal(p) == name);
        }
    }
    const std::pair<const char *, std::function<int &(sampling_params &)>> counts[] = {
        {"repeat_last_n", [](auto & p) -> int & { return p.repeat_last_n; }},
        {"dry_allowed_length", [](auto & p) -> int & { return p.dry_allowed_length; }},
        {"dry_penalty_last_n", [](auto & p) -> int & { return p.dry_penalty_last_n; }},
        {"mirostat", [](auto & p) -> int & { return p.mirostat; }},
        {"min_keep", [](auto & p) -> int & { return p.min_keep; }},
        {"min_tokens", [](auto & p) -> int & { return p.min_tokens; }},
    };
    for (const auto & [name, field] : counts) {
        sampling_params p;
        field(p) = INT_MIN;
        CHECK(refusal(p) == name);
    }
    for (const logit_bias bad : {logit_bias{-1, 0}, {100, 0}, {5, NAN}, {5, INFINITY}, {5, FLT_MAX}}) {
        sampling_params p;
        p.biases = {bad};
        CHECK(refusal(p) == "logit_bias");
    }
    sampling_params p;
    p.order = {static_cast<sampler_kind>(99)};
    CHECK(refusal(p) == "samplers");
    p.order = {sampler_kind::infill};
    CHECK(refusal(p) == "samplers");
    for (int kind = 0; kind < n_sampler_kinds; ++kind) {
        p.order = {sampler_kind::top_k, static_cast<sampler_kind>(kind), sampler_kind::min_p};
        p.top_k = 5;
        p.order.push_back(p.order[1]);
        CHECK(refusal(p) == "samplers");
    }
    p = sampling_params();
    p.dry_sequence_breakers.assign(1000, "x");
    CHECK(refusal(p) == "dry_sequence_breakers");
}

template <class Choice> Choice one_of(std::initializer_list<Choice> from, std::mt19937 & random) {
    return from.begin()[random() % from.size()];
}

sampling_params extreme_params(std::mt19937 & random) {
    sampling_params p;
    p.seed = random();
    p.temperature = one_of({0.0f, 1e-30f, 1e-5f, 1.0f, 1e6f, -1e6f}, random);
    p.dynatemp_range = one_of({0.0f, 0.0f, 1e-30f, 1.0f, 1e6f}, random);
    p.dynatemp_exponent = one_of({0.0f, 1e-30f, 1.0f, 1000.0f}, random);
    p.top_k = one_of({INT_MIN, -1, 0, 1, 5, INT_MAX}, random);
    p.top_p = one_of({0.0f, 1e-30f, 0.5f, 0.99999994f, 1.0f}, random);
    p.min_p = one_of({0.0f, 1e-45f, 0.5f, 0.99999994f, 1.0f}, random);
    p.typical_p = one_of({0.0f, 1e-30f, 1.0f, 1.0f}, random);
    p.top_n_sigma = one_of({-1.0f, 1e-30f, 1e4f}, random);
    p.xtc_probability = one_of({0.0f, 1e-30f, 1.0f}, random);
    p.xtc_threshold = one_of({0.0f, 1e-30f, 0.5f, 1.0f}, random);
    p.repeat_penalty = one_of({1e-4f, 1.0f, 1e4f}, random);
    p.frequency_penalty = one_of({-1e4f, 0.0f, 1e-30f, 1e4f}, random);
    p.presence_penalty = one_of({-1e4f, 0.0f, 1e4f}, random);
    p.repeat_last_n = one_of({-1, 0, 1, INT_MAX}, random);
    p.min_keep = one_of({0, 1, INT_MAX}, random);
    p.min_tokens = one_of({0, 2, INT_MAX}, random);
    p.ignore_eos = random() % 2;
    for (int i = static_cast<int>(random() % 10); i > 0; --i) {
        p.biases.push_back({static_cast<token>(random() % 4), one_of({-INFINITY, -1e6f, 1e6f}, random)});
    }
    std::shuffle(p.order.begin(), p.order.end(), random);
    p.order.erase(std::find(p.order.begin(), p.order.end(), sampler_kind::dry));
    p.order.resize(random() % 9);
    return p;
}

void test_there_is_always_a_token() {
    std::mt19937 random(11);
    sampling_scratch scratch;
    for (int round = 0; round < 20000; ++round) {
        const int n_vocab = one_of({4, 5, 40, 300, 1500}, random);
        const sampling_params p = extreme_params(random);
        sampler s(p, limits(n_vocab), nullptr);
        s.keep_probabilities(random() % 2);
        s.accept_prompt(std::vector<token>(random() % 300, static_cast<token>(random() % 4)));
        for (int step = 0; step < 3; ++step) {
            auto row = reference::make_row(
                static_cast<reference::row_kind>(random() % reference::n_row_kinds), n_vocab, random);
            for (size_t i = random() % 3; i < row.size() && random() % 2; i += 1 + random() % 3) {
                row[i] = one_of({NAN, INFINITY, -INFINITY, FLT_MAX, -FLT_MAX, 1e-45f}, random);
            }
            if (random() % 20 == 0) {
                std::fill(row.begin(), row.end(), one_of({NAN, INFINITY, -INFINITY, FLT_MAX, 0.0f}, random));
            }
            const token chosen = s.choose(row.data(), scratch);
            CHECK(chosen >= 0 && chosen < n_vocab);
            std::vector<token_logprob> logprobs;
            append_left_logprobs(scratch, chosen, 5, logprobs);
            CHECK(!logprobs.empty() && logprobs[0].id == chosen);
            bool possible = false;
            for (const float x : row) {
                possible = possible || x > -INFINITY;
            }
            CHECK(!possible || row[static_cast<size_t>(chosen)] > -INFINITY);
            s.accept(chosen);
        }
    }
}

void test_banned_tokens_never_come_and_ends_come_late() {
    std::mt19937 random(2);
    sampling_scratch scratch;
    sampling_params p;
    p.temperature = 1;
    p.seed = 5;
    p.min_tokens = 4;
    p.biases = {{7, -INFINITY}};
    sampler s(p, limits(20), nullptr);
    std::vector<float> row(20, 0.0f);
    row[1] = row[7] = 30;
    for (int i = 0; i < 20; ++i) {
        const token chosen = s.choose(row.data(), scratch);
        CHECK(chosen != 7);
        CHECK((chosen == 1) == (i >= 4));
        s.accept(chosen);
    }
    CHECK(row[1] == 30 && row[7] == 30);
}

void test_what_was_left_to_choose_from_adds_up_to_one() {
    std::mt19937 random(4);
    sampling_scratch scratch;
    for (const int top_k : {0, 5, 40}) {
        sampling_params p;
        p.temperature = 0.8f;
        p.top_k = top_k;
        p.seed = 1;
        sampler s(p, limits(300), nullptr);
        s.keep_probabilities(true);
        for (int round = 0; round < 50; ++round) {
            auto row = reference::make_row(reference::row_kind::usual, 300, random);
            std::vector<token_logprob> logprobs;
            const token chosen = s.choose(row.data(), scratch);
            append_left_logprobs(scratch, chosen, 300, logprobs);
            CHECK(logprobs.size() == 1 + 300);
            const size_t n_left = static_cast<size_t>(top_k > 0 ? top_k : 300);
            CHECK(n_left == 300 || logprobs[1 + n_left].id == -1);
            logprobs.resize(1 + n_left);
            double sum = 0;
            for (size_t i = 1; i < logprobs.size(); ++i) {
                sum += std::exp(logprobs[i].logprob);
                CHECK(i == 1 || logprobs[i].logprob <= logprobs[i - 1].logprob);
                CHECK(logprobs[i].id != chosen || logprobs[i].logprob == logprobs[0].logprob);
            }
            CHECK(std::fabs(sum - 1) < 1e-5);
        }
    }
}

void test_a_random_seed_is_settled_once() {
    sampling_params p;
    p.temperature = 1;
    const sampler a(p, limits(20), nullptr);
    const sampler b(p, limits(20), nullptr);
    CHECK(a.seed() != random_seed);
    CHECK(a.seed() != b.seed());
}

}  // namespace

int main() {
    test_a_refusal_begins_with_the_fields_name();
    test_there_is_always_a_token();
    test_banned_tokens_never_come_and_ends_come_late();
    test_what_was_left_to_choose_from_adds_up_to_one();
    test_a_random_seed_is_settled_once();
    CHECK_DONE();
}
