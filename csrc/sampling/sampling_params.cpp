#include "sampling/sampling_params.h"

#include "error.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <utility>

namespace jan {

namespace {

// Beyond these a value has no meaning left and only overflows.
constexpr float max_temperature = 1e6f;
constexpr float max_penalty = 1e4f;
constexpr float max_bias = 1e6f;
constexpr float max_tau = 100;
constexpr size_t max_breakers = 64;
constexpr size_t max_breaker_bytes = 40;  // what upstream reads of one
constexpr size_t max_biases = 1 << 20;
constexpr int max_infill_candidates = 128;  // compared each with each, on everybody's step

// Logits of any model divided by less than this are further apart than floats can tell.
constexpr float min_temperature = 1e-5f;

[[noreturn]] void refuse(const char * field, const std::string & why) {
    throw error(errc::invalid_argument, std::string(field) + ": " + why);
}

// Not-a-number fails both comparisons.
void require_between(const char * field, float value, float low, float high) {
    if (!(value >= low && value <= high)) {
        refuse(field, "must be between " + std::to_string(low) + " and " + std::to_string(high) + ", not " +
                          std::to_string(value));
    }
}

void require_at_least(const char * field, int value, int low) {
    if (value < low) {
        refuse(field, "must be at least " + std::to_string(low) + ", not " + std::to_string(value));
    }
}

void check_order(const sampling_params & p) {
    // Upstream gives a second one of a kind random numbers and a memory of its own: nobody wants
    // that, and a long list would only buy time on everybody's step.
    bool seen[n_sampler_kinds] = {};
    // Infill compares every candidate with every other.
    bool few = false;
    for (const sampler_kind kind : p.order) {
        const int n = static_cast<int>(kind);
        if (n < 0 || n >= n_sampler_kinds) {
            refuse("samplers", "there is none with the number " + std::to_string(n));
        }
        if (seen[n]) {
            refuse("samplers", "each may stand there once");
        }
        seen[n] = true;
        few = few || (kind == sampler_kind::top_k && p.top_k > 0 && p.top_k <= max_infill_candidates);
        if (kind == sampler_kind::infill && !few && p.mirostat == 0) {
            refuse("samplers",
                   "infill needs a top_k of at most " + std::to_string(max_infill_candidates) + " before it");
        }
    }
}

// What upstream reads of each text. The order says nothing.
std::vector<std::string> readable(std::vector<std::string> texts) {
    for (std::string & text : texts) {
        text = std::string(text.c_str()).substr(0, max_breaker_bytes);
    }
    std::sort(texts.begin(), texts.end());
    texts.erase(std::unique(texts.begin(), texts.end()), texts.end());
    texts.erase(std::remove(texts.begin(), texts.end(), std::string()), texts.end());
    return texts;
}

uint32_t drawn_seed() {
    std::random_device source;
    uint32_t seed = source();
    return seed == random_seed ? 0 : seed;
}

}  // namespace

void check(const sampling_params & p, int n_vocab) {
    require_between("temperature", p.temperature, -max_temperature, max_temperature);
    require_between("dynatemp_range", p.dynatemp_range, 0, max_temperature);
    require_between("dynatemp_exponent", p.dynatemp_exponent, 0, 1000);
    require_between("top_p", p.top_p, 0, 1);
    require_between("min_p", p.min_p, 0, 1);
    require_between("typical_p", p.typical_p, 0, 1);
    require_between("top_n_sigma", p.top_n_sigma, -max_penalty, max_penalty);
    require_between("xtc_probability", p.xtc_probability, 0, 1);
    require_between("xtc_threshold", p.xtc_threshold, 0, 1);
    require_between("repeat_penalty", p.repeat_penalty, 1 / max_penalty, max_penalty);
    require_between("frequency_penalty", p.frequency_penalty, -max_penalty, max_penalty);
    require_between("presence_penalty", p.presence_penalty, -max_penalty, max_penalty);
    require_at_least("repeat_last_n", p.repeat_last_n, -1);
    require_between("dry_multiplier", p.dry_multiplier, 0, max_penalty);
    require_between("dry_base", p.dry_base, 0, max_penalty);
    require_at_least("dry_allowed_length", p.dry_allowed_length, 0);
    require_at_least("dry_penalty_last_n", p.dry_penalty_last_n, -1);
    if (p.dry_sequence_breakers.size() > max_breakers) {
        refuse("dry_sequence_breakers", "more than " + std::to_string(max_breakers) + " are too many");
    }
    if (p.mirostat < 0 || p.mirostat > 2) {
        refuse("mirostat", "must be 0, 1 or 2, not " + std::to_string(p.mirostat));
    }
    require_between("mirostat_tau", p.mirostat_tau, 0, max_tau);
    require_between("mirostat_eta", p.mirostat_eta, 0, 1);
    require_between("adaptive_target", p.adaptive_target, -max_penalty, 1);
    require_between("adaptive_decay", p.adaptive_decay, 0, 0.99f);
    require_at_least("min_keep", p.min_keep, 0);
    require_at_least("min_tokens", p.min_tokens, 0);
    for (const logit_bias & b : p.biases) {
        if (b.id < 0 || b.id >= n_vocab) {
            refuse("logit_bias", "token id " + std::to_string(b.id) + " is outside the vocabulary");
        }
        if (b.bias != -INFINITY) {
            require_between("logit_bias", b.bias, -max_bias, max_bias);
        }
    }
    if (p.biases.size() > max_biases) {
        refuse("logit_bias", "more than " + std::to_string(max_biases) + " are too many");
    }
    check_order(p);
}

sampling_params settled(sampling_params p, const sampling_limits & limits) {
    check(p, limits.n_vocab);
    p.seed = p.seed == random_seed ? drawn_seed() : p.seed;
    p.temperature = p.temperature < min_temperature ? 0 : p.temperature;
    p.top_k = std::max(0, p.top_k);
    const auto window = [&](int n) { return n < 0 ? limits.n_ctx : std::min(n, limits.n_ctx); };
    p.repeat_last_n = window(p.repeat_last_n);
    p.dry_penalty_last_n = window(p.dry_penalty_last_n);
    p.dry_sequence_breakers = is_active(sampler_kind::dry, p) ? readable(std::move(p.dry_sequence_breakers))
                                                              : std::vector<std::string>();
    if (p.ignore_eos) {
        for (const token id : limits.end_of_generation) {
            p.biases.push_back({id, -INFINITY});
        }
    }
    for (const token id : limits.suppressed) {
        p.biases.push_back({id, -INFINITY});
    }
    return p;
}

bool is_active(sampler_kind kind, const sampling_params & p) {
    switch (kind) {
        case sampler_kind::penalties:
            return p.repeat_last_n != 0 &&
                   (p.repeat_penalty != 1 || p.frequency_penalty != 0 || p.presence_penalty != 0);
        case sampler_kind::dry: return p.dry_multiplier != 0 && p.dry_base >= 1 && p.dry_penalty_last_n != 0;
        case sampler_kind::top_n_sigma: return p.top_n_sigma > 0;
        case sampler_kind::top_k: return p.top_k > 0;
        case sampler_kind::typical_p: return p.typical_p < 1;
        case sampler_kind::top_p: return p.top_p < 1;
        case sampler_kind::min_p: return p.min_p > 0;
        case sampler_kind::xtc: return p.xtc_probability > 0 && p.xtc_threshold <= 0.5f;
        case sampler_kind::temperature: return p.temperature != 1 || p.dynatemp_range > 0;
        case sampler_kind::infill:
        case sampler_kind::adaptive_p: break;
    }
    return true;
}

}  // namespace jan
