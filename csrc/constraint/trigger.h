// What makes a lazy grammar begin: a token, a word in the text, or a pattern.
#pragma once

#include "token.h"

#include <cstddef>
#include <regex>
#include <string>
#include <string_view>
#include <vector>

namespace jan {

struct triggers {
    std::vector<token> tokens;
    std::vector<std::string> words;
    // As llama.cpp's chat formats write them: the grammar begins where the first group does, or else
    // where the match does. With ^ and $ at the ends all of the text so far has to match.
    std::vector<std::string> patterns;
};

// Throws invalid_argument when there are none, or a pattern cannot be read.
void check(const triggers & what);

// One request's search, over its text as it comes.
class trigger_search {
  public:
    explicit trigger_search(const triggers & what);

    // Where the grammar's text begins if `more` comes next: true and that text.
    bool finds(std::string_view more, std::string & text) const;
    void add(std::string_view more);

  private:
    struct pattern {
        std::regex regex;
        bool whole;
    };

    std::vector<std::string> words_;
    std::vector<pattern> patterns_;
    size_t n_kept_ = 0;  // bytes of the text that a trigger may still begin in
    bool cut_ = false;   // so that the text's beginning is gone
    std::string text_;
};

}  // namespace jan
