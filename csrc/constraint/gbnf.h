// Reads GBNF, the notation of llama.cpp's grammars.
#pragma once

#include "constraint/grammar.h"

#include <functional>
#include <string>
#include <string_view>

namespace jan {

// The token that is written so, special ones included; -1 when there is none.
using token_finder = std::function<token(std::string_view)>;

// Throws invalid_argument: "grammar: line 3, column 14: ...".
grammar read_gbnf(std::string_view text, const std::string & root, const token_finder & find_token,
                  const grammar_limits & limits = {});

}  // namespace jan
