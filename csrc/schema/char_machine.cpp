#include "schema/char_machine.h"

#include <algorithm>
#include <map>
#include <utility>

namespace jan {

namespace {

// Every character a text can have.
const std::vector<char_range> & all_chars() {
    static const std::vector<char_range> all = [] {
        std::vector<char_range> ranges = without({});
        ranges.insert(ranges.begin(), {0, 0});
        return tidied(std::move(ranges));
    }();
    return all;
}

int step(const char_machine::state & from, uint32_t c) {
    for (const char_machine::arc & a : from.arcs) {
        if (a.on.first <= c && c <= a.on.last) {
            return a.to;
        }
    }
    return char_machine::dead;
}

void add_arc(std::vector<char_machine::arc> & arcs, char_range on, int to) {
    if (!arcs.empty() && arcs.back().to == to && arcs.back().on.last + 1 == on.first) {
        arcs.back().on.last = on.last;
    } else {
        arcs.push_back({on, to});
    }
}

// The arcs of a state and, where it has none, to `otherwise`.
std::vector<char_machine::arc> filled(const char_machine::state & s, int otherwise) {
    std::vector<char_machine::arc> arcs;
    for (const char_range & piece : all_chars()) {
        uint32_t next = piece.first;
        for (const char_machine::arc & a : s.arcs) {
            const uint32_t first = std::max(a.on.first, next);
            const uint32_t last = std::min(a.on.last, piece.last);
            if (first > last) {
                continue;
            }
            if (first > next) {
                add_arc(arcs, {next, first - 1}, otherwise);
            }
            add_arc(arcs, {first, last}, a.to);
            next = last + 1;
        }
        if (next <= piece.last) {
            add_arc(arcs, {next, piece.last}, otherwise);
        }
    }
    return arcs;
}

}  // namespace

char_machine char_machine::any_text() {
    state s;
    for (const char_range & r : all_chars()) {
        s.arcs.push_back({r, 0});
    }
    s.ends = true;
    return char_machine({s});
}

char_machine char_machine::of_texts(const std::vector<std::string> & texts) {
    std::vector<std::map<uint32_t, int>> nodes(1);
    std::vector<bool> ends(1);
    for (const std::string & text : texts) {
        size_t node = 0;
        for (size_t at = 0; at < text.size();) {
            const uint32_t c = take_code_point(text, at);
            auto [found, added] = nodes[node].emplace(c, static_cast<int>(nodes.size()));
            const int to = found->second;
            if (added) {
                nodes.emplace_back();
                ends.push_back(false);
            }
            node = static_cast<size_t>(to);
        }
        ends[node] = true;
    }
    std::vector<state> states(nodes.size());
    for (size_t i = 0; i < nodes.size(); ++i) {
        states[i].ends = ends[i];
        for (const auto & [c, to] : nodes[i]) {
            states[i].arcs.push_back({{c, c}, to});
        }
    }
    return texts.empty() ? char_machine() : char_machine(std::move(states));
}

bool char_machine::accepts(std::string_view text) const {
    if (empty()) {
        return false;
    }
    int at = 0;
    for (size_t i = 0; i < text.size() && at != dead;) {
        at = step(states_[static_cast<size_t>(at)], take_code_point(text, i));
    }
    return at != dead && states_[static_cast<size_t>(at)].ends;
}

bool char_machine::takes_all(size_t from) const {
    const state & s = states_[from];
    if (!s.ends || s.arcs.size() != all_chars().size()) {
        return false;
    }
    for (size_t i = 0; i < s.arcs.size(); ++i) {
        if (s.arcs[i].to != static_cast<int>(from) || s.arcs[i].on.first != all_chars()[i].first ||
            s.arcs[i].on.last != all_chars()[i].last) {
            return false;
        }
    }
    return true;
}

char_machine char_machine::complement() const {
    if (empty()) {
        return any_text();
    }
    std::vector<state> made(states_.size() + 1);
    const auto other = static_cast<int>(states_.size());
    for (size_t i = 0; i < states_.size(); ++i) {
        made[i].ends = !states_[i].ends;
        made[i].arcs = filled(states_[i], other);
    }
    made.back().ends = true;
    made.back().arcs = filled(state(), other);
    return char_machine(std::move(made)).trimmed();
}

std::optional<char_machine> char_machine::both(const char_machine & other) const {
    return product(other, true);
}

std::optional<char_machine> char_machine::either(const char_machine & other) const {
    return product(other, false);
}

std::optional<char_machine> char_machine::product(const char_machine & other, bool both) const {
    if (empty() || other.empty()) {
        return both ? char_machine() : empty() ? other : *this;
    }
    std::map<std::pair<int, int>, int> ids = {{{0, 0}, 0}};
    std::vector<std::pair<int, int>> pairs = {{0, 0}};
    std::vector<state> made;
    const state nowhere;
    for (size_t i = 0; i < pairs.size(); ++i) {
        if (pairs.size() > most_machine_states) {
            return std::nullopt;
        }
        const auto [l, r] = pairs[i];
        const state & a = l == dead ? nowhere : states_[static_cast<size_t>(l)];
        const state & b = r == dead ? nowhere : other.states_[static_cast<size_t>(r)];
        state s;
        s.ends = both ? a.ends && b.ends : a.ends || b.ends;
        std::vector<uint32_t> cuts;
        for (const state * of : {&a, &b}) {
            for (const arc & e : of->arcs) {
                cuts.push_back(e.on.first);
                cuts.push_back(e.on.last + 1);
            }
        }
        std::sort(cuts.begin(), cuts.end());
        cuts.erase(std::unique(cuts.begin(), cuts.end()), cuts.end());
        for (size_t c = 0; c + 1 < cuts.size(); ++c) {
            const int to_a = step(a, cuts[c]);
            const int to_b = step(b, cuts[c]);
            if (both ? to_a == dead || to_b == dead : to_a == dead && to_b == dead) {
                continue;
            }
            const auto [found, added] =
                ids.emplace(std::make_pair(to_a, to_b), static_cast<int>(pairs.size()));
            const int id = found->second;
            if (added) {
                pairs.emplace_back(to_a, to_b);
            }
            add_arc(s.arcs, {cuts[c], cuts[c + 1] - 1}, id);
        }
        made.push_back(std::move(s));
    }
    return char_machine(std::move(made)).trimmed();
}

std::optional<char_machine> char_machine::within(int least, int most) const {
    if (least <= 0 && most < 0) {
        return *this;
    }
    const int n = most < 0 ? least : most;
    if (static_cast<size_t>(n) >= most_machine_states) {
        return std::nullopt;
    }
    std::vector<state> counts(static_cast<size_t>(n) + 1);
    for (int i = 0; i <= n; ++i) {
        state & s = counts[static_cast<size_t>(i)];
        s.ends = i >= least;
        if (i < n || most < 0) {
            s.arcs = filled(state(), std::min(i + 1, n));
        }
    }
    return both(char_machine(std::move(counts)));
}

char_machine char_machine::trimmed() const {
    const size_t n = states_.size();
    std::vector<std::vector<int>> back(n);
    for (size_t i = 0; i < n; ++i) {
        for (const arc & a : states_[i].arcs) {
            back[static_cast<size_t>(a.to)].push_back(static_cast<int>(i));
        }
    }
    std::vector<bool> lives(n), reached(n);
    std::vector<int> open;
    for (size_t i = 0; i < n; ++i) {
        if (states_[i].ends) {
            lives[i] = true;
            open.push_back(static_cast<int>(i));
        }
    }
    while (!open.empty()) {
        const auto at = static_cast<size_t>(open.back());
        open.pop_back();
        for (const int from : back[at]) {
            if (!lives[static_cast<size_t>(from)]) {
                lives[static_cast<size_t>(from)] = true;
                open.push_back(from);
            }
        }
    }
    if (n == 0 || !lives[0]) {
        return {};
    }
    std::vector<int> order = {0};
    std::vector<int> id(n, dead);
    id[0] = 0;
    reached[0] = true;
    for (size_t i = 0; i < order.size(); ++i) {
        for (const arc & a : states_[static_cast<size_t>(order[i])].arcs) {
            const auto to = static_cast<size_t>(a.to);
            if (lives[to] && !reached[to]) {
                reached[to] = true;
                id[to] = static_cast<int>(order.size());
                order.push_back(a.to);
            }
        }
    }
    std::vector<state> made;
    for (const int old : order) {
        state s;
        s.ends = states_[static_cast<size_t>(old)].ends;
        for (const arc & a : states_[static_cast<size_t>(old)].arcs) {
            if (lives[static_cast<size_t>(a.to)]) {
                add_arc(s.arcs, a.on, id[static_cast<size_t>(a.to)]);
            }
        }
        made.push_back(std::move(s));
    }
    return char_machine(std::move(made));
}

}  // namespace jan
