#include "null_forward.h"

#include "sequence.h"

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

namespace jan {

namespace {

uint64_t mix(uint64_t hash, token id) {
    hash = (hash ^ static_cast<uint64_t>(id)) * 0x9E3779B97F4A7C15u;
    return hash ^ (hash >> 29);
}

token of(uint64_t hash, int n_vocab) {
    return static_cast<token>((hash >> 16) % static_cast<uint64_t>(n_vocab));
}

}  // namespace

null_forward::null_forward(const null_options & options)
    : options_(options), lanes_(static_cast<size_t>(options.shape.n_lanes)) {}

token null_forward::next(const std::vector<token> & tokens, int n_vocab, int n_memory) {
    uint64_t hash = 1;
    const size_t n = tokens.size();
    for (size_t i = n_memory > 0 ? n - std::min(n, static_cast<size_t>(n_memory)) : 0; i < n; ++i) {
        hash = mix(hash, tokens[i]);
    }
    return of(hash, n_vocab);
}

token null_forward::next_of(const lane & all) const {
    if (options_.n_memory == 0) {
        return of(all.back()->hash, options_.n_vocab);
    }
    const size_t n = std::min(all.size(), static_cast<size_t>(options_.n_memory));
    uint64_t hash = 1;
    for (size_t i = all.size() - n; i < all.size(); ++i) {
        hash = mix(hash, all[i]->id);
    }
    return of(hash, options_.n_vocab);
}

void null_forward::add(lane & to, token id) {
    to.push_back(std::make_shared<cell>(id, mix(to.empty() ? 1 : to.back()->hash, id), n_cells_));
}

pass_status null_forward::run(const slice * slices, int n) {
    int n_rows = 0;
    int n_outputs = 0;
    for (int i = 0; i < n; ++i) {
        n_rows += slices[i].n_tokens;
        n_outputs += slices[i].n_outputs;
        const sequence & s = *slices[i].of;
        if (static_cast<int>(at(s.lane).size()) != s.n_computed) {
            failure_ = "lane " + std::to_string(s.lane) + " holds " + std::to_string(at(s.lane).size()) +
                       " cells, not " + std::to_string(s.n_computed);
            return pass_status::failed;
        }
        if (i > 0 && slices[i - 1].of->lane >= s.lane) {
            failure_ = "the slices of a pass are not sorted by lane";
            return pass_status::failed;
        }
        if (!equal(slices[0].of->ask.adapters.get(), s.ask.adapters.get())) {
            failure_ = "the slices of a pass have different adapters";
            return pass_status::failed;
        }
    }
    if (n_rows > options_.max_rows || n_outputs > options_.max_outputs) {
        failure_ =
            "a pass of " + std::to_string(n_rows) + " rows, " + std::to_string(n_outputs) + " with output";
        return pass_status::failed;
    }
    if (options_.shape.mode == kv_mode::unified && n_cells_ + n_rows > options_.shape.n_cells) {
        failure_ = "the cache is full";
        return pass_status::out_of_cells;
    }
    if (abort_) {
        return pass_status::aborted;
    }
    if (options_.pass_s + options_.row_s > 0) {
        std::this_thread::sleep_for(std::chrono::duration<double>(options_.pass_s + options_.row_s * n_rows));
    }
    logits_.clear();
    for (int i = 0; i < n; ++i) {
        const sequence & s = *slices[i].of;
        for (int j = 0; j < slices[i].n_tokens; ++j) {
            const token id = s.row_token(s.n_computed + j);
            if (id == options_.fail_token) {
                failure_ = "a token that fails";
                return pass_status::failed;
            }
            add(at(s.lane), id);
            if (j >= slices[i].n_tokens - slices[i].n_outputs) {
                const size_t row = logits_.size();
                logits_.resize(row + static_cast<size_t>(options_.n_vocab));
                logits_[row + static_cast<size_t>(next_of(at(s.lane)))] = 1;
            }
        }
    }
    if (logits_.empty()) {
        logits_.resize(1);
    }
    return pass_status::done;
}

void null_forward::apply(const lane_change & change) {
    lane & l = at(change.lane);
    switch (change.what) {
        case lane_change::kind::trim: l.resize(std::min(l.size(), static_cast<size_t>(change.n))); break;
        case lane_change::kind::copy: {
            l.clear();
            const lane & from = at(change.other);
            if (options_.shape.mode == kv_mode::unified) {
                l.assign(from.begin(), from.begin() + change.n);
            } else {
                for (int i = 0; i < change.n; ++i) {
                    add(l, from[static_cast<size_t>(i)]->id);
                }
            }
            break;
        }
        case lane_change::kind::swap: std::swap(l, at(change.other)); break;
        case lane_change::kind::shift: {
            std::vector<token> rest;
            for (size_t i = static_cast<size_t>(change.n_keep + change.n); i < l.size(); ++i) {
                rest.push_back(l[i]->id);
            }
            l.resize(static_cast<size_t>(change.n_keep));
            for (const token id : rest) {
                add(l, id);
            }
            break;
        }
    }
}

}  // namespace jan
