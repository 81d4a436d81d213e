#include "sampling/llama_chain.h"

#include "abort_guard.h"
#include "error.h"
#include "sampling/breaker_search.h"
#include "vocab.h"

#include "llama.h"

#include <algorithm>
#include <cmath>
#include <new>
#include <utility>

namespace jan {

namespace {

static_assert(random_seed == LLAMA_DEFAULT_SEED, "the same number means random");

constexpr size_t max_remembered = 8;

constexpr int n_mirostat_candidates = 100;  // that its estimate is made from; upstream's choice

// Our DRY as a link of upstream's chain. Upstream's own looks through the vocabulary for every
// breaker each time it is made.
dry & dry_of(llama_sampler * s) { return *static_cast<dry *>(s->ctx); }

const char * dry_name(const llama_sampler *) { return "dry"; }

void dry_accept(llama_sampler * s, llama_token id) { dry_of(s).add(id); }

void dry_apply(llama_sampler * s, llama_token_data_array * all) {
    dry & how = dry_of(s);
    const std::vector<dry::penalty> & penalties = how.penalties();  // by id
    for (size_t i = 0; i < all->size; ++i) {
        llama_token_data & one = all->data[i];
        const auto at = std::lower_bound(penalties.begin(), penalties.end(), one.id,
                                         [](const dry::penalty & p, token id) { return p.id < id; });
        if (at != penalties.end() && at->id == one.id) {
            one.logit -= at->amount;
        }
    }
    all->sorted = all->sorted && !how.looked();
}

void dry_free(llama_sampler * s) { delete &dry_of(s); }

llama_sampler_i dry_functions() {
    llama_sampler_i functions = {};
    functions.name = dry_name;
    functions.accept = dry_accept;
    functions.apply = dry_apply;
    functions.free = dry_free;
    return functions;
}

llama_sampler * make_dry(const sampling_params & p, const std::shared_ptr<const dry_breakers> & breakers) {
    static llama_sampler_i functions = dry_functions();
    auto how = std::make_unique<dry>(p, breakers);
    llama_sampler * made = llama_sampler_init(&functions, how.get());
    how.release();
    return made;
}

class llama_chain final : public token_chain {
  public:
    llama_chain(const llama_vocab * vocab, const sampling_params & params,
                std::shared_ptr<const dry_breakers> breakers);

    void accept(token id) override;
    token choose(const float * row, bool keep_left, sampling_scratch & scratch) override;

  private:
    struct deleter {
        void operator()(llama_sampler * s) const { llama_sampler_free(s); }
    };

    void add(llama_sampler * next) { llama_sampler_chain_add(chain_.get(), next); }
    void add_one(sampler_kind kind, const sampling_params & p);
    void add_infill();

    const llama_vocab * vocab_;
    int n_vocab_;
    const std::shared_ptr<const dry_breakers> breakers_;
    std::unique_ptr<llama_sampler, deleter> chain_;
};

llama_chain::llama_chain(const llama_vocab * vocab, const sampling_params & p,
                         std::shared_ptr<const dry_breakers> breakers)
    : vocab_(vocab), n_vocab_(llama_vocab_n_tokens(vocab)), breakers_(std::move(breakers)) {
    llama_sampler_chain_params chain_params = llama_sampler_chain_default_params();
    chain_params.no_perf = true;
    chain_.reset(llama_sampler_chain_init(chain_params));
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

void llama_chain::add_one(sampler_kind kind, const sampling_params & p) {
    const auto min_keep = static_cast<size_t>(p.min_keep);
    switch (kind) {
        case sampler_kind::penalties:
            add(llama_sampler_init_penalties(n_vocab_, p.repeat_last_n, p.repeat_penalty, p.frequency_penalty,
                                             p.presence_penalty));
            break;
        case sampler_kind::dry:
            if (is_active(kind, p)) {
                add(make_dry(p, breakers_));
            }
            break;
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

void llama_chain::add_infill() {
    // Upstream aborts when it wants to end the text and there is no token for that.
    if (llama_vocab_eot(vocab_) == LLAMA_TOKEN_NULL && llama_vocab_eos(vocab_) == LLAMA_TOKEN_NULL) {
        throw error(errc::unsupported_feature, "samplers: infill needs a vocabulary with a last token");
    }
    add(llama_sampler_init_infill(vocab_));
}

void llama_chain::accept(token id) { llama_sampler_accept(chain_.get(), id); }

token llama_chain::choose(const float * row, bool keep_left, sampling_scratch & scratch) {
    const auto n = static_cast<size_t>(n_vocab_);
    scratch.upstream.resize(n * sizeof(llama_token_data));
    auto * data = reinterpret_cast<llama_token_data *>(scratch.upstream.data());
    for (size_t i = 0; i < n; ++i) {
        new (data + i) llama_token_data{static_cast<token>(i), std::isnan(row[i]) ? -INFINITY : row[i], 0};
    }
    llama_token_data_array all = {data, n, -1, false};
    {
        const abort_guard guard(errc::backend_failure);
        llama_sampler_apply(chain_.get(), &all);
    }
    if (all.selected < 0 || static_cast<size_t>(all.selected) >= all.size) {
        return -1;
    }
    if (keep_left) {
        scratch.candidates.clear();
        for (size_t i = 0; i < all.size; ++i) {
            scratch.candidates.push_back({all.data[i].id, all.data[i].logit, all.data[i].p});
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
    const vocab reads(vocab_);
    auto found = std::make_shared<const dry_breakers>(  // a moment, without the lock
        find_breakers(words(), texts,
                      [&](const std::string & t) { return reads.tokenize(t, false, false); }));
    const std::lock_guard<std::mutex> lock(mutex_);
    if (remembered_.size() >= max_remembered) {
        remembered_.erase(remembered_.begin());
    }
    remembered_.emplace_back(texts, found);
    return found;
}

const piece_table & llama_chain_source::words() const {
    std::call_once(written_out_, [this] {
        const vocab writes(vocab_);
        piece_table words;
        for (token id = 0; id < llama_vocab_n_tokens(vocab_); ++id) {
            words.add(writes.detokenize({id}, false, true), false);
        }
        words_ = std::move(words);
    });
    return words_;
}

std::unique_ptr<token_chain> llama_chain_source::open(const sampling_params & settled) const {
    std::shared_ptr<const dry_breakers> found;
    if (settled.mirostat == 0 && !settled.dry_sequence_breakers.empty() &&
        std::count(settled.order.begin(), settled.order.end(), sampler_kind::dry) > 0) {
        found = breakers(settled.dry_sequence_breakers);
    }
    const abort_guard guard(errc::backend_failure);
    return std::make_unique<llama_chain>(vocab_, settled, std::move(found));
}

}  // namespace jan
