#include "schema/pattern.h"

#include "schema/pattern_nodes.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>
#include <vector>

namespace jan {

namespace {

constexpr size_t most_work = 20'000'000;  // nodes looked at

using node_set = std::vector<int>;

// `n_work` counts what is looked at.
node_set closure(const pattern_nodes & machine, node_set open, bool at_begin, bool at_end, size_t & n_work) {
    std::vector<bool> seen(machine.nodes.size());
    n_work += machine.nodes.size() / 64 + 1;
    node_set found;
    while (!open.empty()) {
        const int node = open.back();
        open.pop_back();
        if (seen[static_cast<size_t>(node)]) {
            continue;
        }
        seen[static_cast<size_t>(node)] = true;
        found.push_back(node);
        if (++n_work > most_work) {
            throw pattern_unheld("it takes too long to work out");
        }
        for (const pattern_nodes::edge & e : machine.nodes[static_cast<size_t>(node)]) {
            if (e.is == pattern_nodes::way::skip || (e.is == pattern_nodes::way::at_begin && at_begin) ||
                (e.is == pattern_nodes::way::at_end && at_end)) {
                open.push_back(e.to);
            }
        }
    }
    std::sort(found.begin(), found.end());
    return found;
}

// All texts that lead from `begin` to `end`.
char_machine determined(const pattern_nodes & machine, int begin, int end) {
    size_t n_work = 0;
    std::map<node_set, int> ids;
    std::vector<node_set> sets = {closure(machine, {begin}, true, false, n_work)};
    ids[sets[0]] = 0;
    std::vector<char_machine::state> made;
    for (size_t i = 0; i < sets.size(); ++i) {
        if (sets.size() > most_machine_states) {
            throw pattern_unheld("it has too many states");
        }
        const node_set here = sets[i];
        char_machine::state s;
        // At the very beginning an end may also be a beginning: the empty text.
        const node_set if_ended = closure(machine, here, i == 0, true, n_work);
        s.ends = std::binary_search(if_ended.begin(), if_ended.end(), end);
        std::vector<uint32_t> cuts;
        for (const int node : here) {
            for (const pattern_nodes::edge & e : machine.nodes[static_cast<size_t>(node)]) {
                for (const char_range & r : e.chars) {
                    cuts.push_back(r.first);
                    cuts.push_back(r.last + 1);
                }
            }
        }
        std::sort(cuts.begin(), cuts.end());
        cuts.erase(std::unique(cuts.begin(), cuts.end()), cuts.end());
        for (size_t c = 0; c + 1 < cuts.size(); ++c) {
            node_set to;
            for (const int node : here) {
                for (const pattern_nodes::edge & e : machine.nodes[static_cast<size_t>(node)]) {
                    for (const char_range & r : e.chars) {
                        if (r.first <= cuts[c] && cuts[c] <= r.last) {
                            to.push_back(e.to);
                        }
                    }
                }
            }
            if (to.empty()) {
                continue;
            }
            node_set next = closure(machine, std::move(to), false, false, n_work);
            const auto [found, added] = ids.emplace(next, static_cast<int>(sets.size()));
            const int id = found->second;
            if (added) {
                sets.push_back(std::move(next));
            }
            if (!s.arcs.empty() && s.arcs.back().to == id && s.arcs.back().on.last + 1 == cuts[c]) {
                s.arcs.back().on.last = cuts[c + 1] - 1;
            } else {
                s.arcs.push_back({{cuts[c], cuts[c + 1] - 1}, id});
            }
        }
        made.push_back(std::move(s));
    }
    return char_machine(std::move(made)).trimmed();
}

char_machine found_in(std::string_view pattern) {
    pattern_nodes machine;
    const int begin = machine.add();
    const int start = machine.add();
    machine.join(begin, pattern_nodes::way::skip, start);
    const int before = machine.add();  // what comes ahead of it
    machine.join(begin, pattern_nodes::way::chars, before, any_but({}));
    machine.join(before, pattern_nodes::way::chars, before, any_but({}));
    machine.join(before, pattern_nodes::way::skip, start);
    const int found = read_pattern(pattern, start, machine);
    const int after = machine.add();
    machine.join(found, pattern_nodes::way::skip, after);
    machine.join(after, pattern_nodes::way::chars, after, any_but({}));
    return determined(machine, begin, after);
}

// The end of a bracket that begins at `at`, or npos.
size_t bracket_end(std::string_view text, size_t at) {
    int depth = 0;
    bool in_set = false;
    for (; at < text.size(); ++at) {
        const char c = text[at];
        if (c == '\\') {
            ++at;
        } else if (in_set) {
            in_set = c != ']';
        } else if (c == '[') {
            in_set = true;
        } else if (c == '(') {
            ++depth;
        } else if (c == ')' && --depth == 0) {
            return at;
        }
    }
    return std::string_view::npos;
}

bool has_alternatives(std::string_view text) {
    for (size_t at = 0; at < text.size(); ++at) {
        if (text[at] == '\\') {
            ++at;
        } else if (text[at] == '(' || text[at] == '[') {
            const size_t end = text[at] == '(' ? bracket_end(text, at) : text.find(']', at + 1);
            at = end == std::string_view::npos ? text.size() : end;
        } else if (text[at] == '|') {
            return true;
        }
    }
    return false;
}

}  // namespace

// Looking ahead where the text begins is asking for several things at once.
char_machine pattern_machine(std::string_view pattern) {
    if (pattern.size() > 4096) {
        throw pattern_unheld("it is longer than 4096 bytes");
    }
    const bool looks =
        pattern.size() > 4 && pattern.substr(0, 3) == "^(?" && (pattern[3] == '=' || pattern[3] == '!');
    const size_t end = looks ? bracket_end(pattern, 1) : std::string_view::npos;
    if (end == std::string_view::npos || has_alternatives(pattern.substr(end + 1))) {
        return found_in(pattern);
    }
    const char_machine ahead = found_in("^(?:" + std::string(pattern.substr(4, end - 4)) + ")");
    const char_machine behind = pattern_machine("^" + std::string(pattern.substr(end + 1)));
    const std::optional<char_machine> both = behind.both(pattern[3] == '=' ? ahead : ahead.complement());
    if (!both) {
        throw pattern_unheld("it has too many states");
    }
    return *both;
}

}  // namespace jan
