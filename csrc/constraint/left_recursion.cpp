#include "constraint/left_recursion.h"

#include <cstdint>
#include <utility>

namespace jan {

namespace {

bool is_rule(const grammar_item & item) { return item.what == grammar_item::kind::rule && item.most != 0; }

bool is_empty(const grammar_item & item) {
    return item.least == 0 || (item.what == grammar_item::kind::text && item.text.empty());
}

// Which rules can be nothing at all.
std::vector<bool> nullable_rules(const grammar & in) {
    struct alternative {
        int of;
        int n_needed = 0;  // items that are not known to be possibly nothing
    };
    std::vector<alternative> alternatives;
    std::vector<std::vector<size_t>> users(in.rules.size());  // of a rule, once per use
    std::vector<bool> nullable(in.rules.size());
    std::vector<int> found;
    const auto add = [&](int rule) {
        if (!nullable[static_cast<size_t>(rule)]) {
            nullable[static_cast<size_t>(rule)] = true;
            found.push_back(rule);
        }
    };
    for (size_t rule = 0; rule < in.rules.size(); ++rule) {
        for (const grammar_sequence & items : in.rules[rule].alternatives) {
            alternatives.push_back({static_cast<int>(rule)});
            for (const grammar_item & item : items) {
                if (is_empty(item)) {
                    continue;
                }
                ++alternatives.back().n_needed;
                if (is_rule(item)) {
                    users[static_cast<size_t>(item.rule)].push_back(alternatives.size() - 1);
                }
            }
            if (alternatives.back().n_needed == 0) {
                add(static_cast<int>(rule));
            }
        }
    }
    while (!found.empty()) {
        const int rule = found.back();
        found.pop_back();
        for (const size_t user : users[static_cast<size_t>(rule)]) {
            if (--alternatives[user].n_needed == 0) {
                add(alternatives[user].of);
            }
        }
    }
    return nullable;
}

}  // namespace

int left_recursive_rule(const grammar & in) {
    const std::vector<bool> nullable = nullable_rules(in);
    std::vector<std::vector<int>> begins_with(in.rules.size());
    for (size_t rule = 0; rule < in.rules.size(); ++rule) {
        for (const grammar_sequence & items : in.rules[rule].alternatives) {
            for (const grammar_item & item : items) {
                if (is_rule(item)) {
                    begins_with[rule].push_back(item.rule);
                }
                if (!is_empty(item) && !(is_rule(item) && nullable[static_cast<size_t>(item.rule)])) {
                    break;
                }
            }
        }
    }
    // Depth first, without recursion: a grammar may be one long chain.
    enum class mark : uint8_t { unseen, open, done };
    std::vector<mark> marks(in.rules.size(), mark::unseen);
    std::vector<std::pair<int, size_t>> path;
    for (size_t first = 0; first < in.rules.size(); ++first) {
        if (marks[first] != mark::unseen) {
            continue;
        }
        path.emplace_back(static_cast<int>(first), 0);
        marks[first] = mark::open;
        while (!path.empty()) {
            const int rule = path.back().first;
            const std::vector<int> & next = begins_with[static_cast<size_t>(rule)];
            if (path.back().second == next.size()) {
                marks[static_cast<size_t>(rule)] = mark::done;
                path.pop_back();
                continue;
            }
            const int to = next[path.back().second++];
            if (marks[static_cast<size_t>(to)] == mark::open) {
                return to;
            }
            if (marks[static_cast<size_t>(to)] == mark::unseen) {
                marks[static_cast<size_t>(to)] = mark::open;
                path.emplace_back(to, 0);
            }
        }
    }
    return -1;
}

}  // namespace jan
