#include "constraint/grammar_automaton.h"

#include "error.h"

#include <algorithm>
#include <utility>

namespace jan {

namespace {

constexpr int32_t unknown = -2;  // in next_
constexpr int32_t outermost = 0;
constexpr size_t nodes_per_place = 16;  // of the words' tree, in what they cost

bool less(place a, place b) { return a.node != b.node ? a.node < b.node : a.frame < b.frame; }
bool equal(place a, place b) { return a.node == b.node && a.frame == b.frame; }

uint64_t hash(const std::vector<place> & places, bool complete) {
    uint64_t value = complete ? 1469598103934665603u : 88172645463325252u;
    for (const place & p : places) {
        value ^= static_cast<uint64_t>(static_cast<uint32_t>(p.frame)) << 32 | static_cast<uint32_t>(p.node);
        value *= 0x9E3779B97F4A7C15u;
        value ^= value >> 29;
    }
    return value;
}

}  // namespace

grammar_automaton::grammar_automaton(std::shared_ptr<const grammar_program> program,
                                     std::shared_ptr<const token_trie> words, const automaton_limits & limits)
    : program_(std::move(program)), words_(std::move(words)), limits_(limits) {
    frames_.push_back({-1, -1});
}

int32_t grammar_automaton::frame_of(int32_t back, int32_t parent) {
    const uint64_t key =
        static_cast<uint64_t>(static_cast<uint32_t>(parent)) << 32 | static_cast<uint32_t>(back);
    const auto [found, added] = frame_ids_.emplace(key, static_cast<int32_t>(frames_.size()));
    if (added) {
        frames_.push_back({back, parent});
    }
    return found->second;
}

void grammar_automaton::spend() {
    if (++n_looked_at_ > n_allowed_ || seen_.size() > limits_.n_places) {
        throw error(errc::invalid_argument,
                    "grammar: it can be read in too many ways at once; say the same with fewer alternatives");
    }
    if (n_looked_at_ % 1024 == 0 && used() > 4 * limits_.n_bytes) {
        throw error(errc::invalid_argument, "grammar: what may follow takes too much memory to work out");
    }
}

void grammar_automaton::reach(place from) {
    if (seen_.add(from)) {
        open_.push_back(from);
    }
}

// The state that consists of all that is reachable from what was reached, without reading.
int32_t grammar_automaton::close() {
    while (!open_.empty()) {
        const place p = open_.back();
        open_.pop_back();
        spend();
        if (program_->ends_rule(p.node)) {
            const frame back = frames_[static_cast<size_t>(p.frame)];
            if (p.frame == outermost) {
                found_end_ = true;
            } else {
                reach({back.back, back.parent});
            }
        }
        bool reads = false;
        for (const grammar_edge & e : program_->from(p.node)) {
            switch (e.is) {
                case grammar_edge::kind::skip: reach({e.to, p.frame}); break;
                case grammar_edge::kind::call:
                    reach({e.what, program_->only_ends(e.to) ? p.frame : frame_of(e.to, p.frame)});
                    break;
                default: reads = true;
            }
        }
        if (reads) {
            found_.push_back(p);
        }
    }
    if (found_.empty() && !found_end_) {
        return dead;
    }
    std::sort(found_.begin(), found_.end(), less);
    const uint64_t key = hash(found_, found_end_);
    for (auto [at, end] = state_ids_.equal_range(key); at != end; ++at) {
        const state_content & known = states_[static_cast<size_t>(at->second)];
        if (known.complete == found_end_ && known.places.size() == found_.size() &&
            std::equal(found_.begin(), found_.end(), known.places.begin(), equal)) {
            return at->second;
        }
    }
    const auto made = static_cast<int32_t>(states_.size());
    states_.push_back({found_, found_end_, nullptr});
    state_ids_.emplace(key, made);
    next_.resize(next_.size() + static_cast<size_t>(program_->n_classes()), unknown);
    n_place_bytes_ += found_.size() * sizeof(place);
    return made;
}

int32_t grammar_automaton::step(int32_t state, int cls) {
    const size_t slot =
        static_cast<size_t>(state) * static_cast<size_t>(program_->n_classes()) + static_cast<size_t>(cls);
    if (next_[slot] != unknown) {
        return next_[slot];
    }
    const uint8_t byte = program_->byte_of(cls);
    begin_step();
    for (const place & p : states_[static_cast<size_t>(state)].places) {
        for (const grammar_edge & e : program_->from(p.node)) {
            if (e.is == grammar_edge::kind::bytes && e.first <= byte && byte <= e.last) {
                reach({e.to, p.frame});
            }
        }
    }
    const int32_t to = close();
    next_[slot] = to;
    return to;
}

int32_t grammar_automaton::walk(int32_t state, std::string_view bytes) {
    for (const char c : bytes) {
        if (state == dead) {
            return dead;
        }
        state = step(state, program_->class_of(static_cast<uint8_t>(c)));
    }
    return state;
}

void grammar_automaton::begin_step() {
    seen_.clear();
    open_.clear();
    found_.clear();
    found_end_ = false;
}

int32_t grammar_automaton::start() {
    const std::lock_guard lock(mutex_);
    n_looked_at_ = 0;
    n_allowed_ = limits_.n_per_text;
    begin_step();
    reach({program_->start(), outermost});
    return close();
}

int32_t grammar_automaton::after(int32_t state, std::string_view bytes) {
    const std::lock_guard lock(mutex_);
    n_looked_at_ = 0;
    n_allowed_ = limits_.n_per_text;
    return walk(state, bytes);
}

int32_t grammar_automaton::after(int32_t state, token id, std::string_view bytes) {
    const std::lock_guard lock(mutex_);
    n_looked_at_ = 0;
    n_allowed_ = limits_.n_per_text;
    const int32_t by_bytes = bytes.empty() ? dead : walk(state, bytes);
    if (!program_->has_tokens()) {
        return by_bytes;
    }
    begin_step();
    bool by_token = false;
    for (const place & p : states_[static_cast<size_t>(state)].places) {
        for (const grammar_edge & e : program_->from(p.node)) {
            if ((e.is == grammar_edge::kind::one_token && e.what == id) ||
                (e.is == grammar_edge::kind::other_token && e.what != id)) {
                reach({e.to, p.frame});
                by_token = true;
            }
        }
    }
    if (!by_token) {
        return by_bytes;
    }
    if (by_bytes != dead) {
        const state_content & too = states_[static_cast<size_t>(by_bytes)];
        found_end_ = too.complete;
        for (const place & p : too.places) {
            reach(p);
        }
    }
    return close();
}

bool grammar_automaton::complete(int32_t state) {
    const std::lock_guard lock(mutex_);
    return states_[static_cast<size_t>(state)].complete;
}

bool grammar_automaton::final(int32_t state) {
    const std::lock_guard lock(mutex_);
    const state_content & s = states_[static_cast<size_t>(state)];
    return s.complete && s.places.empty();
}

void grammar_automaton::allow_by_token(int32_t state, token_mask & into) const {
    const int n_vocab = words_->n_vocab();
    for (const place & p : states_[static_cast<size_t>(state)].places) {
        for (const grammar_edge & e : program_->from(p.node)) {
            if (e.is == grammar_edge::kind::one_token && e.what < n_vocab) {
                into.allow(e.what);
            } else if (e.is == grammar_edge::kind::other_token) {
                const bool kept = e.what < n_vocab && into.allows(e.what);
                into.allow_all();
                if (!kept && e.what < n_vocab) {
                    into.ban(e.what);
                }
            }
        }
    }
}

std::shared_ptr<const token_mask> grammar_automaton::mask(int32_t state) {
    mask_purse purse{SIZE_MAX};
    return mask(state, purse);
}

std::shared_ptr<const token_mask> grammar_automaton::mask(int32_t state, mask_purse & purse) {
    const std::lock_guard lock(mutex_);
    if (states_[static_cast<size_t>(state)].mask) {
        return states_[static_cast<size_t>(state)].mask;
    }
    auto found = unfinished_.find(state);
    if (found == unfinished_.end()) {
        found = unfinished_.emplace(state, begin_mask(state)).first;
    }
    unfinished_mask & made = found->second;
    n_looked_at_ = 0;
    n_allowed_ = limits_.n_per_mask - std::min(made.n_spent, limits_.n_per_mask);
    bool whole = false;
    try {
        whole = go_on(made, purse.n_most - std::min(purse.n_spent, purse.n_most));
    } catch (...) {
        purse.n_spent += n_looked_at_;
        unfinished_.erase(found);
        throw;
    }
    purse.n_spent += n_looked_at_;
    made.n_spent += n_looked_at_;
    if (!whole) {
        return nullptr;
    }
    const std::shared_ptr<const token_mask> mask = finish_mask(state, made);
    unfinished_.erase(found);
    return mask;
}

grammar_automaton::unfinished_mask grammar_automaton::begin_mask(int32_t state) const {
    unfinished_mask made;
    made.allowed = std::make_shared<token_mask>(words_->n_vocab());
    if (program_->has_tokens()) {
        allow_by_token(state, *made.allowed);
    }
    made.path.assign(words_->depth() + 1, dead);
    made.path[0] = state;
    return made;
}

// Down the tree of all words, leaving out whatever is below a byte that cannot come. False when
// so much was looked at before the end.
bool grammar_automaton::go_on(unfinished_mask & made, size_t n_most) {
    const std::vector<token_trie::node> & nodes = words_->nodes();
    const auto n_classes = static_cast<size_t>(program_->n_classes());
    size_t n_nodes = 0;
    for (size_t i = made.next; i < nodes.size();) {
        if (++n_nodes % nodes_per_place == 0) {
            ++n_looked_at_;
        }
        if (n_looked_at_ >= n_most) {
            made.next = i;
            return false;
        }
        const token_trie::node & n = nodes[i];
        const int32_t from = made.path[n.depth - 1];
        const int cls = program_->class_of(n.byte);
        int32_t to = next_[static_cast<size_t>(from) * n_classes + static_cast<size_t>(cls)];
        if (to == unknown) {
            to = step(from, cls);
        }
        if (to == dead) {
            i = n.end;
            continue;
        }
        made.path[n.depth] = to;
        for (uint32_t j = 0; j < n.n_tokens; ++j) {
            made.allowed->allow(words_->tokens()[n.first_token + j]);
        }
        ++i;
    }
    return true;
}

std::shared_ptr<const token_mask> grammar_automaton::finish_mask(int32_t state,
                                                                 const unfinished_mask & made) {
    for (const token id : words_->end_of_generation()) {
        if (states_[static_cast<size_t>(state)].complete) {
            made.allowed->allow(id);
        } else {
            made.allowed->ban(id);
        }
    }
    n_mask_bytes_ += made.allowed->n_bytes();
    states_[static_cast<size_t>(state)].mask = made.allowed;
    return made.allowed;
}

bool grammar_automaton::has_mask(int32_t state) {
    const std::lock_guard lock(mutex_);
    return states_[static_cast<size_t>(state)].mask != nullptr;
}

size_t grammar_automaton::used() const {
    constexpr size_t node_of_a_map = 40;
    return next_.size() * sizeof(int32_t) + n_place_bytes_ + n_mask_bytes_ +
           states_.size() * (sizeof(state_content) + node_of_a_map) +
           frames_.size() * (sizeof(frame) + node_of_a_map) +
           unfinished_.size() *
               (static_cast<size_t>(words_->n_vocab()) / 8 + words_->depth() * sizeof(int32_t));
}

size_t grammar_automaton::n_bytes() {
    const std::lock_guard lock(mutex_);
    return used();
}

bool grammar_automaton::full() { return n_bytes() > limits_.n_bytes; }

std::vector<grammar_automaton::stack> grammar_automaton::stacks(int32_t state) {
    const std::lock_guard lock(mutex_);
    std::vector<stack> found;
    const state_content & content = states_[static_cast<size_t>(state)];
    for (const place & p : content.places) {
        stack nodes = {p.node};
        for (int32_t f = p.frame; f != outermost; f = frames_[static_cast<size_t>(f)].parent) {
            nodes.push_back(frames_[static_cast<size_t>(f)].back);
        }
        found.push_back(std::move(nodes));
    }
    if (content.complete) {
        found.emplace_back();
    }
    return found;
}

int32_t grammar_automaton::enter(const std::vector<stack> & stacks) {
    const std::lock_guard lock(mutex_);
    n_looked_at_ = 0;
    n_allowed_ = limits_.n_per_mask;
    begin_step();
    for (const stack & nodes : stacks) {
        if (nodes.empty()) {
            found_end_ = true;
            continue;
        }
        int32_t within = outermost;
        for (size_t i = nodes.size(); i-- > 1;) {
            within = frame_of(nodes[i], within);
        }
        reach({nodes[0], within});
    }
    return close();
}

}  // namespace jan
