// What the sampler is held to: a chain of llama.cpp's samplers built and called the way its server
// does (common/sampling.cpp), and rows of logits of every kind.
#pragma once

#include "sampling/sampling_params.h"

#include "llama.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace reference {

struct free_chain {
    void operator()(llama_sampler * s) const { llama_sampler_free(s); }
};

class chain {
  public:
    // `vocab` may be null without infill, and without sequence breakers for DRY.
    chain(const jan::sampling_params & p, int n_vocab, const llama_vocab * vocab)
        : n_vocab_(n_vocab), chain_(llama_sampler_chain_init({/*no_perf*/ true})) {
        std::vector<llama_logit_bias> biases;
        for (const jan::logit_bias & b : p.biases) {
            biases.push_back({b.id, b.bias});
        }
        if (!biases.empty()) {
            add(llama_sampler_init_logit_bias(n_vocab, static_cast<int32_t>(biases.size()), biases.data()));
        }
        if (p.mirostat == 1) {
            add(llama_sampler_init_temp(p.temperature));
            add(llama_sampler_init_mirostat(n_vocab, p.seed, p.mirostat_tau, p.mirostat_eta, 100));
        } else if (p.mirostat == 2) {
            add(llama_sampler_init_temp(p.temperature));
            add(llama_sampler_init_mirostat_v2(p.seed, p.mirostat_tau, p.mirostat_eta));
        } else {
            add_ordered(p, vocab);
        }
    }

    void accept(int id) { llama_sampler_accept(chain_.get(), id); }

    int choose(const float * row) {
        candidates_.resize(static_cast<size_t>(n_vocab_));
        for (int i = 0; i < n_vocab_; ++i) {
            candidates_[static_cast<size_t>(i)] = {i, row[i], 0.0f};
        }
        left_ = {candidates_.data(), candidates_.size(), -1, false};
        llama_sampler_apply(chain_.get(), &left_);
        return left_.data[left_.selected].id;
    }

    const llama_token_data_array & left() const { return left_; }

  private:
    void add(llama_sampler * s) { llama_sampler_chain_add(chain_.get(), s); }

    void add_ordered(const jan::sampling_params & p, const llama_vocab * vocab) {
        using kind = jan::sampler_kind;
        const auto min_keep = static_cast<size_t>(p.min_keep);
        bool adaptive = false;
        for (const kind k : p.order) {
            switch (k) {
                case kind::dry: {
                    std::vector<const char *> breakers;
                    for (const std::string & s : p.dry_sequence_breakers) {
                        breakers.push_back(s.c_str());
                    }
                    if (vocab || breakers.empty()) {
                        add(llama_sampler_init_dry(vocab, p.dry_multiplier, p.dry_base, p.dry_allowed_length,
                                                   p.dry_penalty_last_n, breakers.data(), breakers.size()));
                    }
                    break;
                }
                case kind::top_k: add(llama_sampler_init_top_k(p.top_k)); break;
                case kind::top_p: add(llama_sampler_init_top_p(p.top_p, min_keep)); break;
                case kind::top_n_sigma: add(llama_sampler_init_top_n_sigma(p.top_n_sigma)); break;
                case kind::min_p: add(llama_sampler_init_min_p(p.min_p, min_keep)); break;
                case kind::xtc:
                    add(llama_sampler_init_xtc(p.xtc_probability, p.xtc_threshold, min_keep, p.seed));
                    break;
                case kind::typical_p: add(llama_sampler_init_typical(p.typical_p, min_keep)); break;
                case kind::temperature:
                    add(llama_sampler_init_temp_ext(p.temperature, p.dynatemp_range, p.dynatemp_exponent));
                    break;
                case kind::infill: add(llama_sampler_init_infill(vocab)); break;
                case kind::penalties:
                    add(llama_sampler_init_penalties(n_vocab_, p.repeat_last_n, p.repeat_penalty,
                                                     p.frequency_penalty, p.presence_penalty));
                    break;
                case kind::adaptive_p: adaptive = true; break;
            }
        }
        if (adaptive) {
            add(llama_sampler_init_adaptive_p(p.adaptive_target, p.adaptive_decay, p.seed));
            return;
        }
        const bool greedy =
            !p.order.empty() &&
            ((p.order.back() == kind::temperature && p.temperature == 0 && p.dynatemp_range == 0) ||
             (p.order.back() == kind::top_k && p.top_k == 1));
        add(greedy ? llama_sampler_init_greedy() : llama_sampler_init_dist(p.seed));
    }

    int n_vocab_;
    std::unique_ptr<llama_sampler, free_chain> chain_;
    std::vector<llama_token_data> candidates_;
    llama_token_data_array left_ = {};
};

enum class row_kind { usual, peaked, flat, ties, few_possible, all_high, all_low };
constexpr int n_row_kinds = 7;

inline std::vector<float> make_row(row_kind kind, int n, std::mt19937 & random) {
    std::normal_distribution<float> normal(0, 1);
    std::vector<float> row(static_cast<size_t>(n));
    const float wide = 1 + static_cast<float>(random() % 30) / 10;
    for (float & x : row) {
        const float z = normal(random);
        switch (kind) {
            case row_kind::usual: x = wide * z - 2; break;
            case row_kind::peaked: x = 2 * z - 5; break;
            case row_kind::flat: x = 0.01f * z; break;
            case row_kind::ties: x = std::round(2 * z) / 2; break;
            case row_kind::few_possible: x = random() % 8 ? -INFINITY : wide * z; break;
            case row_kind::all_high: x = wide * z + 25; break;
            case row_kind::all_low: x = wide * z - 60; break;
        }
    }
    if (kind == row_kind::peaked) {
        for (int i = 0; i < 5; ++i) {
            row[random() % row.size()] = 12 + 3 * normal(random);
        }
    }
    if (kind == row_kind::few_possible) {
        row[random() % row.size()] = 1;
    }
    return row;
}

}  // namespace reference
