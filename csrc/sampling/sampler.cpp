#include "sampling/sampler.h"

#include "error.h"
#include "sampling/row_candidates.h"
#include "sampling/row_scan.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace jan {

namespace {

void leave_one(token id, sampling_scratch & scratch) {
    scratch.candidates.assign(1, {id, 0, 1});
    scratch.left = {scratch.candidates.data(), 1, true};
}

}  // namespace

sampler::sampler(sampling_params params, const sampling_limits & limits, const token_chain_source * upstream)
    : params_(settled(std::move(params), limits)), n_vocab_(limits.n_vocab),
      end_of_generation_(limits.end_of_generation),
      window_(is_active(sampler_kind::penalties, params_) ? params_.repeat_last_n : 0, limits.n_vocab),
      random_(params_.seed), xtc_random_(params_.seed) {
    plan();
    if (way_ == way_kind::upstream) {
        if (!upstream) {
            throw error(errc::unsupported_feature, "samplers: this combination needs upstream's chain");
        }
        upstream_ = upstream->open(params_);
    }
    const auto is_row_step = [this](sampler_kind kind) {
        return std::find(row_steps_.begin(), row_steps_.end(), kind) != row_steps_.end();
    };
    size_t n_patches = params_.biases.size() + end_of_generation_.size();
    if (is_row_step(sampler_kind::dry)) {
        open_dry(upstream);
        n_patches += static_cast<size_t>(params_.dry_penalty_last_n);
    }
    n_patches += row_steps_.size() * static_cast<size_t>(params_.repeat_last_n + 1);
    before_.reserve(n_patches);
}

void sampler::open_dry(const token_chain_source * upstream) {
    const std::vector<std::string> & texts = params_.dry_sequence_breakers;
    if (!texts.empty() && !upstream) {
        throw error(errc::unsupported_feature,
                    "dry_sequence_breakers: there is no vocabulary to find them in");
    }
    dry_ = std::make_unique<dry>(params_, texts.empty() ? nullptr : upstream->breakers(texts));
}

// Whether the largest logit stays in the running and stays the largest, after a truncation too.
bool sampler::keeps_the_most_likely(sampler_kind kind) const {
    switch (kind) {
        case sampler_kind::penalties:
        case sampler_kind::typical_p:
        case sampler_kind::xtc: return false;
        case sampler_kind::temperature: return params_.dynatemp_range <= 0;
        default: return true;
    }
}

void sampler::plan() {
    if (params_.mirostat != 0) {
        way_ = params_.temperature > 0 ? way_kind::upstream : way_kind::most_likely;
        return;
    }
    std::vector<sampler_kind> active;
    for (const sampler_kind kind : params_.order) {
        if (is_active(kind, params_)) {
            active.push_back(kind);
        }
    }
    // What comes before the first truncation changes single entries of the row.
    const auto first_step = std::find_if(active.begin(), active.end(), [](sampler_kind kind) {
        return kind != sampler_kind::penalties && kind != sampler_kind::dry;
    });
    row_steps_.assign(active.begin(), first_step);
    steps_.assign(first_step, active.end());
    const auto count = [](const std::vector<sampler_kind> & steps, sampler_kind kind) {
        return std::count(steps.begin(), steps.end(), kind);
    };
    if (count(steps_, sampler_kind::dry) > 0 || count(steps_, sampler_kind::infill) > 0 ||
        count(steps_, sampler_kind::adaptive_p) > 0) {
        way_ = way_kind::upstream;
        row_steps_.clear();
        return;
    }
    const bool cold = params_.temperature <= 0 && count(steps_, sampler_kind::temperature) > 0;
    const bool keeps = std::all_of(steps_.begin(), steps_.end(),
                                   [this](sampler_kind kind) { return keeps_the_most_likely(kind); });
    if (cold && keeps) {
        way_ = way_kind::most_likely;
        return;
    }
    const auto drop_first = [&] { steps_.erase(steps_.begin()); };
    if (!steps_.empty() && steps_[0] == sampler_kind::temperature && params_.dynatemp_range <= 0 &&
        params_.temperature > 0) {
        row_temperature_ = params_.temperature;
        drop_first();
    }
    way_ = steps_.empty()                     ? way_kind::any
           : steps_[0] == sampler_kind::top_k ? way_kind::top_k
           : steps_[0] == sampler_kind::top_p ? way_kind::top_p
           : steps_[0] == sampler_kind::min_p ? way_kind::min_p
                                              : way_kind::whole;
    if (way_ != way_kind::any && way_ != way_kind::whole) {
        drop_first();
    }
}

const char * sampler::way() const {
    switch (way_) {
        case way_kind::most_likely: return "most_likely";
        case way_kind::any: return "any";
        case way_kind::top_k: return "top_k";
        case way_kind::top_p: return "top_p";
        case way_kind::min_p: return "min_p";
        case way_kind::whole: return "whole";
        case way_kind::upstream: break;
    }
    return "upstream";
}

void sampler::accept_prompt(const std::vector<token> & prompt) {
    if (upstream_) {
        for (const token id : prompt) {
            upstream_->accept(id);
        }
        return;
    }
    const size_t n = std::min(prompt.size(), static_cast<size_t>(params_.repeat_last_n));
    for (size_t i = prompt.size() - n; i < prompt.size(); ++i) {
        window_.add(prompt[i]);
    }
    for (const token id : prompt) {
        if (dry_) {
            dry_->add(id);
        }
    }
}

void sampler::accept(token id) {
    ++n_generated_;
    if (upstream_) {
        upstream_->accept(id);
    } else {
        window_.add(id);
        if (dry_) {
            dry_->add(id);
        }
    }
}

token sampler::choose(float * row, sampling_scratch & scratch) {
    patch(row);
    token chosen;
    try {
        chosen = choose_patched(row, scratch);
    } catch (...) {
        for (size_t i = before_.size(); i-- > 0;) {
            row[before_[i].id] = before_[i].bias;
        }
        throw;
    }
    bool possible = chosen >= 0 && row[chosen] > -INFINITY;
    if (!possible) {
        chosen = best_of_row(row, n_vocab_);
        possible = row[chosen] > -INFINITY;
        leave_one(chosen, scratch);
    }
    for (size_t i = before_.size(); i-- > 0;) {
        row[before_[i].id] = before_[i].bias;
    }
    if (!possible) {
        // Everything is banned, or nothing in the row is a number.
        chosen = best_of_row(row, n_vocab_);
        leave_one(chosen, scratch);
    }
    return chosen;
}

void sampler::set(float * row, token id, float logit) {
    before_.push_back({id, row[id]});
    row[id] = std::isnan(logit) ? -INFINITY : logit;
}

void sampler::patch(float * row) {
    before_.clear();
    if (n_generated_ < params_.min_tokens) {
        for (const token id : end_of_generation_) {
            set(row, id, -INFINITY);
        }
    }
    // For upstream's chain too: what a bias bans is seen to be banned whatever the chain chooses.
    for (const logit_bias & b : params_.biases) {
        set(row, b.id, row[b.id] + b.bias);
    }
    for (const sampler_kind kind : row_steps_) {
        if (kind == sampler_kind::penalties) {
            penalize(row);
            continue;
        }
        for (const dry::penalty & penalty : dry_->penalties()) {
            set(row, penalty.id, row[penalty.id] - penalty.amount);
        }
    }
}

float sampler::penalized(float logit, int count) const {
    logit = logit <= 0 ? logit * params_.repeat_penalty : logit / params_.repeat_penalty;
    return logit - (static_cast<float>(count) * params_.frequency_penalty + params_.presence_penalty);
}

void sampler::penalize(float * row) {
    for (const token_window::occurrence & seen : window_.distinct()) {
        set(row, seen.id, penalized(row[seen.id], seen.count));
    }
}

void sampler::penalize(candidate_set & set) const {
    for (size_t i = 0; i < set.size; ++i) {
        const int count = window_.count(set.data[i].id);
        if (count > 0) {
            set.data[i].logit = penalized(set.data[i].logit, count);
        }
    }
    set.sorted = false;
}

token sampler::choose_patched(const float * row, sampling_scratch & scratch) {
    if (way_ == way_kind::most_likely) {
        const token best = best_of_row(row, n_vocab_);
        leave_one(best, scratch);
        return best;
    }
    if (way_ == way_kind::upstream) {
        if (!std::isfinite(fastest_row_scan().max(row, n_vocab_))) {
            return -1;
        }
        const token chosen = upstream_->choose(row, keep_probabilities_, scratch);
        scratch.left = {scratch.candidates.data(), scratch.candidates.size(), false};
        return chosen;
    }
    if (way_ == way_kind::any && !keep_probabilities_) {
        return draw_from_row(row, n_vocab_, row_temperature_, random_, scratch);
    }
    if (row_temperature_ != 1) {
        scratch.row.resize(static_cast<size_t>(n_vocab_));
        fastest_row_scan().divide(row, n_vocab_, row_temperature_, scratch.row.data());
        row = scratch.row.data();
    }
    candidate_set set = first_candidates(row, scratch);
    for (const sampler_kind kind : steps_) {
        apply(kind, set, scratch);
    }
    const size_t chosen = draw(set, random_);
    scratch.left = set;
    return set.data[chosen].id;
}

candidate_set sampler::first_candidates(const float * row, sampling_scratch & scratch) const {
    const auto min_keep = static_cast<size_t>(params_.min_keep);
    switch (way_) {
        case way_kind::top_k: return top_k_of_row(row, n_vocab_, params_.top_k, scratch);
        case way_kind::top_p: return top_p_of_row(row, n_vocab_, params_.top_p, min_keep, scratch);
        case way_kind::min_p: return min_p_of_row(row, n_vocab_, params_.min_p, min_keep, scratch);
        default: return all_of_row(row, n_vocab_, scratch);
    }
}

void sampler::apply(sampler_kind kind, candidate_set & set, sampling_scratch & scratch) {
    const sampling_params & p = params_;
    const auto min_keep = static_cast<size_t>(p.min_keep);
    switch (kind) {
        case sampler_kind::penalties: penalize(set); break;
        case sampler_kind::top_n_sigma: apply_top_n_sigma(set, p.top_n_sigma); break;
        case sampler_kind::top_k: apply_top_k(set, p.top_k, scratch); break;
        case sampler_kind::typical_p: apply_typical_p(set, p.typical_p, min_keep, scratch); break;
        case sampler_kind::top_p: apply_top_p(set, p.top_p, min_keep, scratch); break;
        case sampler_kind::min_p: apply_min_p(set, p.min_p, min_keep, scratch); break;
        case sampler_kind::xtc:
            apply_xtc(set, p.xtc_probability, p.xtc_threshold, min_keep, xtc_random_, scratch);
            break;
        case sampler_kind::temperature:
            if (p.dynatemp_range > 0) {
                apply_dynamic_temperature(set, p.temperature, p.dynatemp_range, p.dynatemp_exponent, scratch);
            } else {
                apply_temperature(set, p.temperature);
            }
            break;
        case sampler_kind::dry:
        case sampler_kind::infill:
        case sampler_kind::adaptive_p: break;  // never here: see plan()
    }
}

void append_left_logprobs(const sampling_scratch & scratch, token chosen, int n_top,
                          std::vector<token_logprob> & to) {
    const candidate_set & left = scratch.left;
    const size_t first = to.size();
    to.push_back({chosen, -INFINITY});
    for (size_t i = 0; i < left.size; ++i) {
        if (left.data[i].id == chosen) {
            to[first].logprob = std::log(left.data[i].p);
        }
    }
    const size_t n = std::min(left.size, static_cast<size_t>(std::max(0, n_top)));
    std::partial_sort(
        left.data, left.data + n, left.data + left.size,
        [](const candidate & a, const candidate & b) { return a.p != b.p ? a.p > b.p : a.id < b.id; });
    for (size_t i = 0; i < n; ++i) {
        to.push_back({left.data[i].id, std::log(left.data[i].p)});
    }
    to.resize(first + 1 + static_cast<size_t>(std::max(0, n_top)), {-1, -INFINITY});
}

}  // namespace jan
