// A regular expression as nodes with ways between them, as it is read: Thompson's machine.
#pragma once

#include "constraint/grammar.h"
#include "schema/pattern.h"

#include <string_view>
#include <utility>
#include <vector>

namespace jan {

struct pattern_nodes {
    // Over characters, over nothing, and over nothing where the text begins or ends.
    enum class way : char { chars, skip, at_begin, at_end };
    struct edge {
        way is;
        int to;
        std::vector<char_range> chars;
    };
    std::vector<std::vector<edge>> nodes;

    int add();  // throws pattern_unheld when there are too many
    void join(int from, way is, int to, std::vector<char_range> chars = {}) {
        nodes[static_cast<size_t>(from)].push_back({is, to, std::move(chars)});
    }
};

// Any character but these, U+0000 among them.
std::vector<char_range> any_but(const std::vector<char_range> & ranges);

// Adds the pattern from a node on; the node behind it. Throws as pattern_machine does.
int read_pattern(std::string_view pattern, int from, pattern_nodes & into);

}  // namespace jan
