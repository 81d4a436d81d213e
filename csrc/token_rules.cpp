#include "token_rules.h"

#include "error.h"

#include <algorithm>
#include <cmath>
#include <string>

namespace jan {

namespace {

constexpr size_t max_sequences = 1024;  // compared at each token, on everybody's step
constexpr size_t max_sequence = 64;
constexpr size_t max_ends = 64;

void check_tokens(const char * field, const std::vector<token> & tokens, int n_vocab) {
    for (const token id : tokens) {
        if (id < 0 || id >= n_vocab) {
            throw error(errc::invalid_argument, std::string(field) + ": token id " + std::to_string(id) +
                                                    " is outside the vocabulary")
                .with("token", id);
        }
    }
}

void check_sequences(const char * field, const std::vector<std::vector<token>> & sequences, int n_vocab) {
    if (sequences.size() > max_sequences) {
        throw error(errc::invalid_argument,
                    std::string(field) + ": more than " + std::to_string(max_sequences) + " are too many");
    }
    for (const std::vector<token> & one : sequences) {
        if (one.empty() || one.size() > max_sequence) {
            throw error(errc::invalid_argument, std::string(field) + ": each has between 1 and " +
                                                    std::to_string(max_sequence) + " tokens");
        }
        check_tokens(field, one, n_vocab);
    }
}

}  // namespace

void check(const token_rules & rules, int n_vocab) {
    check_tokens("allowed_token_ids", rules.allowed, n_vocab);
    check_sequences("bad_words", rules.banned, n_vocab);
    check_tokens("stop_token_ids", rules.ends, n_vocab);
    if (rules.ends.size() > max_ends) {
        throw error(errc::invalid_argument,
                    "stop_token_ids: more than " + std::to_string(max_ends) + " are too many");
    }
    check_tokens("thought", rules.thought.close, n_vocab);
    if (rules.thought.most >= 0 && rules.thought.close.empty()) {
        throw error(errc::invalid_argument, "thought: needs the tokens that end it");
    }
}

token_ruler::token_ruler(const token_rules * rules) : rules_(rules) {
    if (!rules_) {
        return;
    }
    for (const std::vector<token> & one : rules_->banned) {
        n_back_ = std::max(n_back_, one.size());
    }
    const thought_limit & thought = rules_->thought;
    if (thought.most >= 0) {
        n_tail_ = thought.start.size();
        for (const std::string & tag : thought.ends) {
            n_tail_ = std::max(n_tail_, tag.size());
        }
        thought_ = !thought.begun     ? thinking::outside
                   : thought.most > 0 ? thinking::inside
                                      : thinking::closing;
    }
}

bool token_ruler::came(const std::vector<token> & sequence, size_t n) const {
    return last_.size() >= n && std::equal(sequence.begin(), sequence.begin() + static_cast<ptrdiff_t>(n),
                                           last_.end() - static_cast<ptrdiff_t>(n));
}

float * token_ruler::rule(float * logits, int n_vocab, std::vector<float> & buffer) const {
    if (!rules_) {
        return logits;
    }
    const auto n = static_cast<size_t>(n_vocab);
    const auto only = [&](const token * ids, size_t n_ids) {
        buffer.assign(n, -INFINITY);
        for (size_t i = 0; i < n_ids; ++i) {
            buffer[static_cast<size_t>(ids[i])] = logits[ids[i]];
        }
        return buffer.data();
    };
    if (thought_ == thinking::closing) {
        const token next = rules_->thought.close[n_closed_];
        if (logits[next] > -INFINITY) {
            return only(&next, 1);
        }
    }
    float * ruled = rules_->allowed.empty() ? logits : only(rules_->allowed.data(), rules_->allowed.size());
    const auto ban = [&](token id) {
        if (ruled == logits) {
            buffer.assign(logits, logits + n);
            ruled = buffer.data();
        }
        ruled[id] = -INFINITY;
    };
    for (const std::vector<token> & one : rules_->banned) {
        if (came(one, one.size() - 1)) {
            ban(one.back());
        }
    }
    if (n_made_ < rules_->min_tokens) {
        std::for_each(rules_->ends.begin(), rules_->ends.end(), ban);
    }
    return ruled;
}

void token_ruler::accept(token id, std::string_view bytes) {
    if (!rules_) {
        return;
    }
    ++n_made_;
    if (n_back_ > 0) {
        if (last_.size() == n_back_) {
            last_.erase(last_.begin());
        }
        last_.push_back(id);
    }
    if (thought_ != thinking::no) {
        think(id, bytes);
    }
}

bool token_ruler::written(const std::string & tag) const {
    return !tag.empty() && tail_.find(tag) != std::string::npos;
}

void token_ruler::think(token id, std::string_view bytes) {
    const thought_limit & thought = rules_->thought;
    tail_ += bytes;
    const auto leave = [&] {
        thought_ = thinking::outside;
        tail_.clear();
    };
    switch (thought_) {
        case thinking::outside:
            if (written(thought.start)) {
                thought_ = thought.most > 0 ? thinking::inside : thinking::closing;
                n_thought_ = 0;
                n_closed_ = 0;
                tail_.clear();
            }
            break;
        case thinking::inside:
            if (std::any_of(thought.ends.begin(), thought.ends.end(),
                            [&](const std::string & tag) { return written(tag); })) {
                leave();
            } else if (++n_thought_ >= thought.most) {
                thought_ = thinking::closing;
                n_closed_ = 0;
            }
            break;
        case thinking::closing:
            // A constraint may have had it otherwise: then it is begun again.
            n_closed_ = id == thought.close[n_closed_] ? n_closed_ + 1 : 0;
            if (n_closed_ == thought.close.size()) {
                leave();
            }
            break;
        case thinking::no: break;
    }
    if (tail_.size() > n_tail_) {
        tail_.erase(0, tail_.size() - n_tail_);
    }
}

bool token_ruler::ends(token id) const {
    return rules_ && std::find(rules_->ends.begin(), rules_->ends.end(), id) != rules_->ends.end();
}

}  // namespace jan
