// A regular expression as a grammar: what matches from its first character to its last.
#pragma once

#include "constraint/grammar.h"

#include <string_view>

namespace jan {

// Alternatives, groups, sets, \d \w \s, * + ? {m,n}; ^ and $ at the ends change nothing. What needs
// to look around or back is refused. Throws invalid_argument: "regex: at 14: ...".
grammar regex_grammar(std::string_view pattern, const grammar_limits & limits = {});

}  // namespace jan
