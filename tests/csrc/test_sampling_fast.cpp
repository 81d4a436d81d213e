// With the same seed the sampler chooses the very tokens that llama.cpp's chain chooses, over
// random parameters, histories and rows of every kind.
#include "check.h"
#include "sampling_reference.h"

#include "sampling/sampler.h"

#include <cstdio>
#include <cstdlib>
#include <map>

namespace {

using namespace jan;
using reference::row_kind;

template <class Choice> Choice one_of(std::initializer_list<Choice> from, std::mt19937 & random) {
    return from.begin()[random() % from.size()];
}

bool chance(int in_hundred, std::mt19937 & random) { return static_cast<int>(random() % 100) < in_hundred; }

sampling_params random_params(int n_vocab, std::mt19937 & random) {
    sampling_params p;
    p.seed = random() % 1000;
    p.temperature = one_of({0.0f, -1.0f, 0.1f, 0.5f, 0.8f, 0.8f, 1.0f, 1.7f}, random);
    p.top_k = one_of({0, 0, 1, 2, 40, 40, 64, 128, 129, 200, 1000, 1 << 30}, random);
    p.top_p = one_of({0.0f, 0.1f, 0.5f, 0.9f, 0.95f, 0.95f, 0.999f, 1.0f, 1.0f}, random);
    p.min_p = one_of({0.0f, 0.0f, 0.001f, 0.05f, 0.05f, 0.3f, 1.0f}, random);
    if (chance(30, random)) {
        p.repeat_penalty = one_of({0.9f, 1.1f, 1.3f}, random);
        p.frequency_penalty = one_of({0.0f, 0.5f, -0.5f}, random);
        p.presence_penalty = one_of({0.0f, 1.0f, -1.5f}, random);
        p.repeat_last_n = one_of({-1, 0, 1, 3, 64, 500}, random);
    }
    p.dry_sequence_breakers.clear();
    if (chance(15, random)) {
        p.dry_multiplier = one_of({0.5f, 3.0f}, random);
        p.dry_base = one_of({1.0f, 1.75f, 4.0f}, random);
        p.dry_allowed_length = one_of({0, 1, 2, 5}, random);
        p.dry_penalty_last_n = one_of({-1, 3, 64}, random);
    }
    if (chance(15, random)) {
        p.typical_p = one_of({0.1f, 0.5f, 0.95f}, random);
    }
    if (chance(15, random)) {
        p.xtc_probability = one_of({0.3f, 1.0f}, random);
        p.xtc_threshold = one_of({0.0f, 0.05f, 0.1f, 0.5f}, random);
    }
    if (chance(10, random)) {
        p.top_n_sigma = one_of({0.5f, 1.0f, 3.0f}, random);
    }
    if (chance(10, random)) {
        p.dynatemp_range = one_of({0.3f, 2.0f}, random);
        p.dynatemp_exponent = one_of({0.0f, 1.0f, 2.5f}, random);
    }
    if (chance(10, random)) {
        p.min_keep = one_of({1, 3, 300, 100000}, random);
    }
    if (chance(30, random)) {
        for (int i = 0; i < 20; ++i) {
            p.biases.push_back({static_cast<token>(random() % static_cast<uint32_t>(n_vocab)),
                                one_of({-INFINITY, -3.0f, 2.0f, 5.0f, 100.0f}, random)});
        }
    }
    if (chance(30, random)) {
        std::shuffle(p.order.begin(), p.order.end(), random);
        p.order.resize(random() % (p.order.size() + 1));
    }
    return p;
}

bool has(const sampling_params & p, sampler_kind kind) {
    return is_active(kind, p) && std::find(p.order.begin(), p.order.end(), kind) != p.order.end();
}

void print(const sampling_params & p, const char * way, row_kind kind, int n_vocab, int expected, int found) {
    std::fprintf(
        stderr,
        "  way %s row %d vocab %d: expected %d found %d; seed %u temp %g top_k %d top_p %g min_p %g typ %g "
        "sigma %g xtc %g/%g dyn %g/%g pen %g %g %g/%d min_keep %d biases %zu order",
        way, static_cast<int>(kind), n_vocab, expected, found, p.seed, p.temperature, p.top_k, p.top_p,
        p.min_p, p.typical_p, p.top_n_sigma, p.xtc_probability, p.xtc_threshold, p.dynatemp_range,
        p.dynatemp_exponent, p.repeat_penalty, p.frequency_penalty, p.presence_penalty, p.repeat_last_n,
        p.min_keep, p.biases.size());
    for (const sampler_kind k : p.order) {
        std::fprintf(stderr, " %d", static_cast<int>(k));
    }
    std::fprintf(stderr, "\n");
}

// Where upstream chooses what it gave no chance (it had nothing else left, or divided infinity by
// infinity) we choose the most likely; and of equally likely ones the first.
bool may_differ(const sampler & ours, const llama_token_data_array & left, row_kind kind) {
    float top = -INFINITY;
    for (size_t i = 0; i < left.size; ++i) {
        top = std::max(top, left.data[i].logit);
    }
    return !std::isfinite(left.data[left.selected].logit) || !std::isfinite(top) ||
           (std::string(ours.way()) == "most_likely" && kind == row_kind::ties);
}

struct tally {
    int n_steps = 0;
    int n_tolerated = 0;
    int n_different = 0;
};

void test_the_same_tokens_as_upstream(int n_rounds, uint32_t seed) {
    std::mt19937 random(seed);
    std::map<std::string, tally> ways;
    sampling_scratch scratch;
    for (int round = 0; round < n_rounds; ++round) {
        const int n_vocab =
            round % 40 == 0 ? 151936 : one_of({40, 129, 300, 1024, 1500, 5000, 5000, 32000}, random);
        sampling_limits limits;
        limits.n_vocab = n_vocab;
        limits.n_ctx = 1000;
        sampling_params p = settled(random_params(n_vocab, random), limits);
        // DRY after a truncation goes through upstream's chain, which wants a vocabulary.
        const auto at = std::find(p.order.begin(), p.order.end(), sampler_kind::dry);
        if (at != p.order.end() && is_active(sampler_kind::dry, p)) {
            p.order.erase(std::remove(p.order.begin(), p.order.end(), sampler_kind::dry), p.order.end());
            p.order.insert(p.order.begin() +
                               (random() % 2 && !p.order.empty() && p.order[0] == sampler_kind::penalties),
                           sampler_kind::dry);
        }
        sampler ours(p, limits, nullptr);
        reference::chain theirs(p, n_vocab, nullptr);
        std::vector<token> prompt(random() % 200);
        for (token & id : prompt) {
            id = static_cast<token>(random() % static_cast<uint32_t>(std::min(n_vocab, 300)));
            theirs.accept(id);
        }
        ours.accept_prompt(prompt);
        for (int step = 0; step < 6; ++step) {
            const auto kind = static_cast<row_kind>(random() % reference::n_row_kinds);
            std::vector<float> row = reference::make_row(kind, n_vocab, random);
            const std::vector<float> before = row;
            // Probabilities that are 0 make upstream sort by not-a-number.
            if (has(p, sampler_kind::typical_p) &&
                (kind == row_kind::few_possible || has(p, sampler_kind::top_n_sigma) || !p.biases.empty() ||
                 p.temperature < 0.5f)) {
                continue;
            }
            const token expected = theirs.choose(row.data());
            ours.keep_probabilities(chance(50, random));
            const token found = ours.choose(row.data(), scratch);
            CHECK(row == before);
            tally & t = ways[ours.way()];
            ++t.n_steps;
            if (found != expected && may_differ(ours, theirs.left(), kind)) {
                ++t.n_tolerated;
            } else if (found != expected) {
                ++t.n_different;
                print(p, ours.way(), kind, n_vocab, expected, found);
            }
            ours.accept(expected);
            theirs.accept(expected);
        }
    }
    for (const auto & [way, t] : ways) {
        std::printf("%s: %d steps, %d different, %d tolerated\n", way.c_str(), t.n_steps, t.n_different,
                    t.n_tolerated);
        CHECK(t.n_different == 0);
        CHECK(t.n_steps > 0);
    }
}

}  // namespace

int main(int argc, char ** argv) {
    const int n_rounds = argc > 1 ? std::atoi(argv[1]) : 1500;
    test_the_same_tokens_as_upstream(n_rounds, argc > 2 ? static_cast<uint32_t>(std::atoi(argv[2])) : 1);
    CHECK_DONE();
}
