// A context-free grammar as it was read, from GBNF or from something simpler: plain data.
#pragma once

#include "token.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace jan {

struct char_range {
    uint32_t first;  // code points
    uint32_t last;
};

constexpr int without_end = -1;  // as grammar_item::most

// One thing and how often it may come in a row.
struct grammar_item {
    enum class kind : int {
        text,         // these bytes
        chars,        // one character of a set
        rule,         // what another rule says
        one_token,    // one token of the vocabulary, whatever its text
        other_token,  // any token but this
    };
    kind what = kind::text;
    std::string text;
    std::vector<char_range> chars;  // sorted, none touches the next
    int rule = -1;
    token id = -1;
    int least = 1;
    int most = 1;
};

using grammar_sequence = std::vector<grammar_item>;

struct grammar_rule {
    std::string name;
    std::vector<grammar_sequence> alternatives;  // none: the rule was only spoken of
};

struct grammar {
    std::vector<grammar_rule> rules;
    int root = 0;
};

// What a request may ask for. Beyond it: invalid_argument, whose message begins with the field.
struct grammar_limits {
    size_t n_bytes = 4 << 20;   // of text
    int depth = 200;            // of brackets in it
    int n_repetitions = 65536;  // in {m,n}
    int n_nodes = 500'000;      // of the compiled grammar
    int n_choices = 65536;      // of a list of choices
};

// The set of characters that are in none of the ranges; half a surrogate pair and U+0000 are
// characters of no set.
std::vector<char_range> without(const std::vector<char_range> & ranges);

// Sorted and joined where they touch or overlap.
std::vector<char_range> tidied(std::vector<char_range> ranges);

// Appends a code point's bytes.
void append_utf8(uint32_t code_point, std::string & to);

// The code point at `at`, which is moved behind it; bytes that are no UTF-8 count as themselves.
uint32_t take_code_point(std::string_view text, size_t & at);

// One of these texts. Throws invalid_argument.
grammar choice_grammar(const std::vector<std::string> & texts, const grammar_limits & limits = {});

}  // namespace jan
