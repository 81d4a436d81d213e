// Included before everything else of unicode.cpp: each pattern by which a pre-tokeniser splits words is
// compiled once, not again for each stretch of text between two special tokens.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <regex>
#include <string>

namespace std {

// In place of a basic_regex that is made to be used once. Upstream's patterns are few, and stay.
template <class CharT> class jan_kept_regex {
  public:
    jan_kept_regex(const basic_string<CharT> & pattern, regex_constants::syntax_option_type flags)
        : kept_(keep(pattern, flags)) {}
    operator const basic_regex<CharT> &() const { return kept_; }

  private:
    static const basic_regex<CharT> & keep(const basic_string<CharT> & pattern,
                                           regex_constants::syntax_option_type flags) {
        // Never destroyed: threads may tokenise until the process has ended.
        static auto & all = *new map<basic_string<CharT>, basic_regex<CharT>>();
        static auto & turn = *new mutex();
        const lock_guard<mutex> lock(turn);
        const auto found = all.find(pattern);
        return found != all.end() ? found->second
                                  : all.emplace(pattern, basic_regex<CharT>(pattern, flags)).first->second;
    }

    const basic_regex<CharT> & kept_;
};

}  // namespace std

#define basic_regex jan_kept_regex
