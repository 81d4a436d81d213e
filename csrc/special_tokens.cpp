#include "special_tokens.h"

#include <algorithm>
#include <cctype>
#include <cstring>
#include <numeric>

namespace jan {

namespace {

constexpr int32_t always_special = LLAMA_TOKEN_ATTR_CONTROL | LLAMA_TOKEN_ATTR_UNKNOWN;

bool is_space(char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; }

}  // namespace

special_tokens::special_tokens(const llama_vocab * vocab) {
    const int n_tokens = llama_vocab_n_tokens(vocab);
    for (token id = 0; id < n_tokens; ++id) {
        const int32_t attr = llama_vocab_get_attr(vocab, id);
        if (attr & (always_special | LLAMA_TOKEN_ATTR_USER_DEFINED)) {
            entries_.push_back({id, llama_vocab_get_text(vocab, id), (attr & always_special) != 0,
                                (attr & LLAMA_TOKEN_ATTR_LSTRIP) != 0,
                                (attr & LLAMA_TOKEN_ATTR_RSTRIP) != 0});
        }
    }
    // As upstream sorts them: not stable, but the same algorithm brings the same into the same order.
    std::sort(entries_.begin(), entries_.end(),
              [](const entry & a, const entry & b) { return a.text.size() > b.text.size(); });
    while (!entries_.empty() && entries_.back().text.empty()) {
        entries_.pop_back();
    }
    for (const entry & e : entries_) {
        strips_ = strips_ || e.strips_left || e.strips_right;
    }
    build_tree();
}

void special_tokens::build_tree() {
    std::vector<uint32_t> order(entries_.size());
    std::iota(order.begin(), order.end(), 0);
    std::sort(order.begin(), order.end(), [this](uint32_t a, uint32_t b) {
        return std::make_pair(entries_[a].text, a) < std::make_pair(entries_[b].text, b);
    });
    struct range {
        size_t begin, end, depth;  // of `order`: entries that begin with the same `depth` bytes
    };
    std::vector<range> ranges = {{0, order.size(), 0}};
    nodes_.resize(1);
    bytes_.resize(1);
    for (size_t i = 0; i < nodes_.size(); ++i) {
        auto [begin, end, depth] = ranges[i];
        for (; begin < end && entries_[order[begin]].text.size() == depth; ++begin) {
            const auto rank = static_cast<int32_t>(order[begin]);
            if (nodes_[i].any < 0) {
                nodes_[i].any = rank;
            }
            if (nodes_[i].user < 0 && !entries_[order[begin]].only_parsed) {
                nodes_[i].user = rank;
            }
        }
        nodes_[i].first_child = static_cast<uint32_t>(nodes_.size());
        while (begin < end) {
            const char byte = entries_[order[begin]].text[depth];
            size_t next = begin;
            while (next < end && entries_[order[next]].text[depth] == byte) {
                ++next;
            }
            nodes_.emplace_back();
            bytes_.push_back(byte);
            ranges.push_back({begin, next, depth + 1});
            begin = next;
        }
        nodes_[i].n_children = static_cast<uint32_t>(nodes_.size()) - nodes_[i].first_child;
    }
}

const special_tokens::node * special_tokens::child(const node & parent, char byte) const {
    const char * first = bytes_.data() + parent.first_child;
    const void * found = std::memchr(first, byte, parent.n_children);
    return found ? &nodes_[parent.first_child + static_cast<size_t>(static_cast<const char *>(found) - first)]
                 : nullptr;
}

// Over one text. Tokens that overlap, and those that an overlapping one overlaps, form a cluster. What is
// found in it depends on nothing outside, so upstream's way may be gone in each by itself.
class special_tokens::walk {
  public:
    walk(const special_tokens & tokens, std::string_view text, bool parse_special,
         const std::function<void(const piece &)> & tell)
        : tokens_(tokens), text_(text), parse_special_(parse_special), tell_(tell),
          is_seen_(tokens.entries_.size()) {}

    void run() {
        while (begin_ < text_.size()) {
            end_ = begin_ + look_at(begin_);
            if (seen_.empty()) {
                ++begin_;
                continue;
            }
            grow();
            if (seen_.size() == 1 && !tokens_.strips_ && end_ - begin_ == entry_of(seen_[0]).text.size()) {
                tell_text(begin_);
                tell_({entry_of(seen_[0]).id, begin_, end_ - begin_});
                told_ = end_;
            } else {
                settle();
            }
            forget();
            begin_ = end_;
        }
        tell_text(text_.size());
    }

  private:
    const entry & entry_of(int32_t rank) const { return tokens_.entries_[static_cast<size_t>(rank)]; }

    // Notes every token that begins there; how long the longest is.
    size_t look_at(size_t at) {
        size_t longest = 0;
        const node * n = &tokens_.nodes_[0];
        for (size_t i = at; i < text_.size() && (n = tokens_.child(*n, text_[i])) != nullptr; ++i) {
            const int32_t rank = parse_special_ ? n->any : n->user;
            if (rank >= 0) {
                longest = i + 1 - at;
                if (!is_seen_[static_cast<size_t>(rank)]) {
                    is_seen_[static_cast<size_t>(rank)] = true;
                    seen_.push_back(rank);
                }
            }
        }
        return longest;
    }

    // Until nothing that begins in the cluster reaches beyond it. A token that swallows whitespace may
    // take it from its neighbours, so with such tokens those belong together that touch, or have only
    // whitespace between them.
    void grow() {
        for (size_t at = begin_ + 1; at < text_.size(); ++at) {
            if (at == end_ && !tokens_.strips_) {
                break;
            }
            const size_t n = look_at(at);
            if (at == end_ && n == 0 && !is_space(text_[at])) {
                break;
            }
            end_ = std::max({end_, at + n, at + 1});
        }
    }

    // As upstream does it: one token after the other, each wherever it is in what is still text.
    void settle() {
        std::sort(seen_.begin(), seen_.end());
        pieces_.assign(1, {-1, told_, end_ - told_});
        for (const int32_t rank : seen_) {
            const entry & wanted = entry_of(rank);
            next_.clear();
            for (const piece & one : pieces_) {
                if (one.id >= 0) {
                    next_.push_back(one);
                } else {
                    take(wanted, one.at, one.at + one.n);
                }
            }
            std::swap(pieces_, next_);
        }
        told_ = end_;
        if (!pieces_.empty() && pieces_.back().id < 0) {
            told_ = pieces_.back().at;  // it goes on behind the cluster
            pieces_.pop_back();
        }
        for (const piece & one : pieces_) {
            tell_(one);
        }
    }

    void take(const entry & wanted, size_t from, size_t to) {
        while (from < to) {
            // Nothing begins before the cluster.
            const size_t at = text_.substr(0, to).find(wanted.text, std::max(from, begin_));
            if (at == std::string_view::npos) {
                break;
            }
            size_t left = at;
            while (wanted.strips_left && left > from && is_space(text_[left - 1])) {
                --left;
            }
            if (left > from) {
                next_.push_back({-1, from, left - from});
            }
            next_.push_back({wanted.id, at, wanted.text.size()});
            from = at + wanted.text.size();
            while (wanted.strips_right && from < to && is_space(text_[from])) {
                ++from;
            }
        }
        if (from < to) {
            next_.push_back({-1, from, to - from});
        }
    }

    void tell_text(size_t until) {
        if (until > told_) {
            tell_({-1, told_, until - told_});
        }
    }

    void forget() {
        for (const int32_t rank : seen_) {
            is_seen_[static_cast<size_t>(rank)] = false;
        }
        seen_.clear();
    }

    const special_tokens & tokens_;
    const std::string_view text_;
    const bool parse_special_;
    const std::function<void(const piece &)> & tell_;
    size_t told_ = 0;             // everything before was told or swallowed
    size_t begin_ = 0, end_ = 0;  // the cluster
    std::vector<int32_t> seen_;   // ranks of the tokens in it, each once
    std::vector<bool> is_seen_;
    std::vector<piece> pieces_, next_;
};

void special_tokens::cut(std::string_view text, bool parse_special,
                         const std::function<void(const piece &)> & tell) const {
    walk(*this, text, parse_special, tell).run();
}

}  // namespace jan
