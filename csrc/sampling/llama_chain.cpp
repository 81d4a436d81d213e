#include "sampling/llama_chain.h"

#include "abort_guard.h"
#include "error.h"
#include "vocab.h"

#include "llama.h"

#include <algorithm>
#include <cmath>

namespace jan {

namespace {

static_assert(random_seed == LLAMA_DEFAULT_SEED, "the same number means random");

// Upstream's limits for sequence breakers.
constexpr size_t max_breaker_bytes = 40;
constexpr size_t max_breaker_tail = 20;

constexpr size_t max_remembered = 8;

constexpr int n_mirostat_candidates = 100;  // that its estimate is made from; upstream's choice

class llama_chain final : public token_chain {
  public:
    llama_chain(const llama_vocab * vocab, const sampling_params & params);

    void accept(token id) override;
    token choose(const float * row, std::vector<candidate> * left) override;

  private:
    struct deleter {
        void operator()(llama_sampler * s) const { llama_sampler_free(s); }
    };

    void add(llama_sampler * next) { llama_sampler_chain_add(chain_.get(), next); }
    void add_biases(const sampling_params & p);
    void add_one(sampler_kind kind, const sampling_params & p);
    void add_dry(const sampling_params & p);
    void add_infill();

    const llama_vocab * vocab_;
    int n_vocab_;
    std::unique_ptr<llama_sampler, deleter> chain_;
    std::vector<llama_token_data> row_;
};

llama_chain::llama_chain(const llama_vocab * vocab, const sampling_params & p)
    : vocab_(vocab), n_vocab_(llama_vocab_n_tokens(vocab)) {
    llama_sampler_chain_params chain_params = llama_sampler_chain_default_params();
    chain_params.no_perf = true;
    chain_.reset(llama_sampler_chain_init(chain_params));
    row_.resize(static_cast<size_t>(n_vocab_));
    add_biases(p);
    if (p.mirostat == 1) {
        add(llama_sampler_init_temp(p.temperature));
        add(llama_sampler_init_mirostat(n_vocab_, p.seed, p.mirostat_tau, p.mirostat_eta,
                                        n_mirostat_candidates));
        return;
    }
    if (p.mirostat == 2) {
        add(llama_sampler_init_temp(p.temperature));
        add(llama_sampler_init_mirostat_v2(p.seed, p.mirostat_tau, p.mirostat_eta));
        return;
    }
    for (const sampler_kind kind : p.order) {
        add_one(kind, p);
    }
    if (std::find(p.order.begin(), p.order.end(), sampler_kind::adaptive_p) != p.order.end()) {
        add(llama_sampler_init_adaptive_p(p.adaptive_target, p.adaptive_decay, p.seed));
    } else {
        // Upstream ends in a greedy sampler where one token is left anyway; this one leaves
        // probabilities too.
        add(llama_sampler_init_dist(p.seed));
    }
}

void llama_chain::add_biases(const sampling_params & p) {
    std::vector<llama_logit_bias> biases;
    for (const logit_bias & b : p.biases) {
        biases.push_back({b.id, b.bias});
    }
    if (!biases.empty()) {
        add(llama_sampler_init_logit_bias(n_vocab_, static_cast<int32_t>(biases.size()), biases.data()));
    }
}

void llama_chain::add_one(sampler_kind kind, const sampling_params & p) {
    const auto min_keep = static_cast<size_t>(p.min_keep);
    switch (kind) {
        case sampler_kind::penalties:
            add(llama_sampler_init_penalties(n_vocab_, p.repeat_last_n, p.repeat_penalty, p.frequency_penalty,
                                             p.presence_penalty));
            break;
        case sampler_kind::dry: add_dry(p); break;
        case sampler_kind::top_n_sigma: add(llama_sampler_init_top_n_sigma(p.top_n_sigma)); break;
        case sampler_kind::top_k: add(llama_sampler_init_top_k(p.top_k)); break;
        case sampler_kind::typical_p: add(llama_sampler_init_typical(p.typical_p, min_keep)); break;
        case sampler_kind::top_p: add(llama_sampler_init_top_p(p.top_p, min_keep)); break;
        case sampler_kind::min_p: add(llama_sampler_init_min_p(p.min_p, min_keep)); break;
        case sampler_kind::xtc:
            add(llama_sampler_init_xtc(p.xtc_probability, p.xtc_threshold, min_keep, p.seed));
            break;
        case sampler_kind::temperature:
            add(llama_sampler_init_temp_ext(p.temperature, p.dynatemp_range, p.dynatemp_exponent));
            break;
        case sampler_kind::infill: add_infill(); break;
        case sampler_kind::adaptive_p: break;  // at the end
    }
}

void llama_chain::add_dry(const sampling_params & p) {
    std::vector<const char *> breakers;
    for (const std::string & breaker : p.dry_sequence_breakers) {
        breakers.push_back(breaker.c_str());
    }
    add(llama_sampler_init_dry(vocab_, p.dry_multiplier, p.dry_base, p.dry_allowed_length,
                               p.dry_penalty_last_n, breakers.data(), breakers.size()));
}

void llama_chain::add_infill() {
    // Upstream aborts when it wants to end the text and there is no token for that.
    if (llama_vocab_eot(vocab_) == LLAMA_TOKEN_NULL && llama_vocab_eos(vocab_) == LLAMA_TOKEN_NULL) {
        throw error(errc::unsupported_feature, "samplers: infill needs a vocabulary with a last token");
    }
    add(llama_sampler_init_infill(vocab_));
}

void llama_chain::accept(token id) { llama_sampler_accept(chain_.get(), id); }

token llama_chain::choose(const float * row, std::vector<candidate> * left) {
    for (int i = 0; i < n_vocab_; ++i) {
        row_[static_cast<size_t>(i)] = {i, std::isnan(row[i]) ? -INFINITY : row[i], 0};
    }
    llama_token_data_array all = {row_.data(), row_.size(), -1, false};
    {
        const abort_guard guard;
        llama_sampler_apply(chain_.get(), &all);
    }
    if (all.selected < 0 || static_cast<size_t>(all.selected) >= all.size) {
        return -1;
    }
    if (left) {
        left->clear();
        for (size_t i = 0; i < all.size; ++i) {
            left->push_back({all.data[i].id, all.data[i].logit, all.data[i].p});
        }
    }
    return all.data[all.selected].id;
}

}  // namespace

std::vector<token> llama_chain_source::suppressed() const {
    int32_t n = 0;
    const llama_token * first = llama_vocab_get_suppress_tokens(vocab_, &n);
    return n > 0 ? std::vector<token>(first, first + n) : std::vector<token>();
}

std::shared_ptr<const dry_breakers>
llama_chain_source::breakers(const std::vector<std::string> & texts) const {
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        for (const remembered & known : remembered_) {
            if (known.first == texts) {
                return known.second;
            }
        }
    }
    auto found = std::make_shared<const dry_breakers>(find_breakers(texts));  // a moment, without the lock
    const std::lock_guard<std::mutex> lock(mutex_);
    if (remembered_.size() >= max_remembered) {
        remembered_.erase(remembered_.begin());
    }
    remembered_.emplace_back(texts, found);
    return found;
}

// As upstream does it: every token that holds a text breaks by itself, one that ends in the first
// part of it breaks together with the tokens of the rest.
dry_breakers llama_chain_source::find_breakers(const std::vector<std::string> & texts) const {
    const vocab words(vocab_);
    dry_breakers found;
    const abort_guard guard;
    for (token id = 0; id < llama_vocab_n_tokens(vocab_); ++id) {
        const std::string word = words.detokenize({id}, false, true);
        for (const std::string & text : texts) {
            const std::string breaker = text.substr(0, max_breaker_bytes);
            if (breaker.empty()) {
                continue;
            }
            if (word.find(breaker) != std::string::npos) {
                found[id].emplace_back();
                continue;
            }
            for (size_t at = word.find(breaker[0]); at != std::string::npos;
                 at = word.find(breaker[0], at + 1)) {
                const size_t n = word.size() - at;
                if (n < breaker.size() && word.compare(at, n, breaker, 0, n) == 0) {
                    std::vector<token> tail = words.tokenize(breaker.substr(n), false, false);
                    tail.resize(std::min(tail.size(), max_breaker_tail));
                    found[id].push_back(std::move(tail));
                }
            }
        }
    }
    return found;
}

std::unique_ptr<token_chain> llama_chain_source::open(const sampling_params & settled) const {
    const abort_guard guard;
    return std::make_unique<llama_chain>(vocab_, settled);
}

}  // namespace jan
