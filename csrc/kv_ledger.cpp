#include "kv_ledger.h"

#include <algorithm>
#include <map>
#include <utility>

namespace jan {

kv_ledger::kv_ledger(const kv_shape & shape) : shape_(shape), lanes_(static_cast<size_t>(shape.n_lanes)) {}

bool kv_ledger::shares_cells(int lane) const {
    const auto & own = at(lane).segments;
    return std::any_of(own.begin(), own.end(),
                       [&](int s) { return segments_[static_cast<size_t>(s)].n_lanes > 1; });
}

int64_t kv_ledger::n_free() const {
    return shape_.mode == kv_mode::unified ? shape_.n_cells - n_used_ : INT64_MAX;
}

int64_t kv_ledger::n_evictable(int except_lane) const {
    // A segment goes when its last lane goes: count those that only idle lanes refer to.
    std::map<int, int> idle_references;
    for (int i = 0; i < shape_.n_lanes; ++i) {
        if (i != except_lane && idle(i)) {
            for (const int s : at(i).segments) {
                ++idle_references[s];
            }
        }
    }
    int64_t n = 0;
    for (const auto & [index, count] : idle_references) {
        const segment & s = segments_[static_cast<size_t>(index)];
        n += s.n_lanes == count ? s.n_cells : 0;
    }
    return n;
}

prefix_match kv_ledger::longest_prefix(const std::vector<token> & tokens, int most,
                                       const std::string & salt) const {
    prefix_match best;
    for (int i = 0; i < shape_.n_lanes; ++i) {
        const content & l = at(i);
        const int n = std::min(most, l.n_offered);
        if (!l.offers_prefix || n < best.n_tokens || n == 0 || l.salt != salt) {
            continue;
        }
        const auto end = std::mismatch(l.tokens.begin(), l.tokens.begin() + n, tokens.begin()).first;
        const int common = static_cast<int>(end - l.tokens.begin());
        if (!shape_.can_truncate && common != static_cast<int>(l.tokens.size())) {
            continue;  // the state after the last token is the only one there is
        }
        if (common < l.n_least) {
            continue;
        }
        if (common > best.n_tokens ||
            (common > 0 && common == best.n_tokens && !idle(best.lane) && idle(i))) {
            best = {i, common};
        }
    }
    return best;
}

int kv_ledger::idle_lane(int except_lane) const {
    for (int i = 0; i < shape_.n_lanes; ++i) {
        if (i != except_lane && idle(i) && at(i).tokens.empty()) {
            return i;
        }
    }
    return oldest_idle_lane(except_lane);
}

int kv_ledger::oldest_idle_lane(int except_lane) const {
    int oldest = -1;
    for (int i = 0; i < shape_.n_lanes; ++i) {
        if (i != except_lane && idle(i) && !at(i).tokens.empty() &&
            (oldest < 0 || at(i).last_used < at(oldest).last_used)) {
            oldest = i;
        }
    }
    return oldest;
}

void kv_ledger::claim(int lane, uint64_t owner, const std::string & salt, bool offers_prefix,
                      int n_expected) {
    content & l = at(lane);
    l.owner = owner;
    l.salt = salt;
    l.offers_prefix = offers_prefix;
    l.last_used = ++clock_;
    l.tokens.reserve(static_cast<size_t>(n_expected));
}

bool kv_ledger::release(int lane) {
    content & l = at(lane);
    l.owner = 0;
    l.last_used = ++clock_;
    if (l.offers_prefix && l.n_offered > 0) {
        return false;
    }
    truncate(lane, 0);
    return true;
}

void kv_ledger::append(int lane, const token * tokens, int n) {
    if (n == 0) {
        return;
    }
    content & l = at(lane);
    if (l.n_offered == static_cast<int>(l.tokens.size())) {
        l.n_offered += n;  // nothing before was moved
    }
    l.tokens.insert(l.tokens.end(), tokens, tokens + n);
    if (!l.segments.empty() && segment_at(l.segments.back()).n_lanes == 1) {
        segment_at(l.segments.back()).n_cells += n;
        n_used_ += n;
    } else {
        l.segments.push_back(new_segment(n, 1));
    }
}

void kv_ledger::truncate(int lane, int n) {
    content & l = at(lane);
    int n_over = static_cast<int>(l.tokens.size()) - n;
    while (n_over > 0) {
        const int last = l.segments.back();
        const int n_cells = segment_at(last).n_cells;
        if (n_cells > n_over) {
            split(last, n_cells - n_over);  // this lane's last segment is now the part to go
            continue;
        }
        l.segments.pop_back();
        drop_reference(last);
        n_over -= n_cells;
    }
    l.tokens.resize(static_cast<size_t>(n));
    l.n_offered = std::min(l.n_offered, n);
    l.n_least = n == 0 ? 0 : l.n_least;
}

void kv_ledger::copy(int from, int to, int n) {
    truncate(to, 0);
    content & source = at(from);
    content & target = at(to);
    if (shape_.mode == kv_mode::streams) {
        append(to, source.tokens.data(), n);
    } else {
        int n_done = 0;
        for (size_t i = 0; n_done < n; ++i) {
            const int index = source.segments[i];
            if (n_done + segment_at(index).n_cells > n) {
                split(index, n - n_done);
            }
            ++segment_at(index).n_lanes;
            target.segments.push_back(index);
            n_done += segment_at(index).n_cells;
        }
        target.tokens.assign(source.tokens.begin(), source.tokens.begin() + n);
    }
    target.n_offered = std::min(n, source.n_offered);
    target.n_least = source.n_least;
    source.last_used = ++clock_;
}

void kv_ledger::swap(int a, int b) {
    std::swap(at(a), at(b));
    for (const int lane : {a, b}) {  // only the last window travels
        if (shape_.n_window > 0 && n_tokens(lane) > shape_.n_window) {
            at(lane).n_least = n_tokens(lane);
        }
    }
}

void kv_ledger::shift(int lane, int n_keep, int n) {
    content & l = at(lane);
    // Unshared cells are alike, so which segment shrinks does not matter.
    int n_left = n;
    while (n_left > 0) {
        const int last = l.segments.back();
        const int n_here = std::min(n_left, segment_at(last).n_cells);
        segment_at(last).n_cells -= n_here;
        n_used_ -= n_here;
        n_left -= n_here;
        if (segment_at(last).n_cells == 0) {
            l.segments.pop_back();
            drop_reference(last);
        }
    }
    l.tokens.erase(l.tokens.begin() + n_keep, l.tokens.begin() + n_keep + n);
    l.n_offered = std::min(l.n_offered, n_keep);
}

int kv_ledger::new_segment(int n_cells, int n_lanes) {
    n_used_ += n_cells;
    if (unused_segments_.empty()) {
        segments_.push_back({n_cells, n_lanes});
        return static_cast<int>(segments_.size()) - 1;
    }
    const int index = unused_segments_.back();
    unused_segments_.pop_back();
    segment_at(index) = {n_cells, n_lanes};
    return index;
}

void kv_ledger::drop_reference(int index) {
    segment & s = segment_at(index);
    if (--s.n_lanes == 0) {
        n_used_ -= s.n_cells;
        s.n_cells = 0;
        unused_segments_.push_back(index);
    }
}

// Cuts a segment after n cells, in every lane that has it.
void kv_ledger::split(int index, int n) {
    const int n_rest = segment_at(index).n_cells - n;
    segment_at(index).n_cells = n;
    n_used_ -= n_rest;  // new_segment counts them again
    const int rest = new_segment(n_rest, segment_at(index).n_lanes);
    for (content & l : lanes_) {
        const auto found = std::find(l.segments.begin(), l.segments.end(), index);
        if (found != l.segments.end()) {
            l.segments.insert(found + 1, rest);
        }
    }
}

bool kv_ledger::check_integrity(std::string & why) const {
    std::map<int, int> references;
    for (int i = 0; i < shape_.n_lanes; ++i) {
        int64_t n = 0;
        for (const int s : at(i).segments) {
            n += segments_[static_cast<size_t>(s)].n_cells;
            ++references[s];
        }
        const auto n_tokens = static_cast<int64_t>(at(i).tokens.size());
        if (n != n_tokens || at(i).n_offered > n_tokens || n_tokens > shape_.n_ctx) {
            why = "lane " + std::to_string(i) + " counts " + std::to_string(n) + " cells for " +
                  std::to_string(n_tokens) + " tokens";
            return false;
        }
    }
    int64_t n_used = 0;
    for (const auto & [index, count] : references) {
        if (segments_[static_cast<size_t>(index)].n_lanes != count) {
            why = "segment " + std::to_string(index) + " has " + std::to_string(count) + " lanes";
            return false;
        }
        n_used += segments_[static_cast<size_t>(index)].n_cells;
    }
    if (n_used != n_used_ || (shape_.mode == kv_mode::unified && n_used > shape_.n_cells)) {
        why = "the lanes hold " + std::to_string(n_used) + " cells, " + std::to_string(n_used_) + " counted";
        return false;
    }
    return true;
}

}  // namespace jan
