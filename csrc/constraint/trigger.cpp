#include "constraint/trigger.h"

#include "error.h"

#include <algorithm>

namespace jan {

namespace {

// Patterns are looked for in so much of the text's end: their search takes time and stack in
// proportion, and what they look for is a few words long.
constexpr size_t n_for_patterns = 2048;
constexpr size_t longest_pattern = 1024;

}  // namespace

void check(const triggers & what) {
    if (what.tokens.empty() && what.words.empty() && what.patterns.empty()) {
        throw error(errc::invalid_argument, "triggers: a lazy grammar needs one");
    }
    for (const std::string & word : what.words) {
        if (word.empty()) {
            throw error(errc::invalid_argument, "triggers: an empty word");
        }
    }
    for (const std::string & pattern : what.patterns) {
        if (pattern.empty() || pattern.size() > longest_pattern) {
            throw error(errc::invalid_argument, "triggers: a pattern must have between 1 and " +
                                                    std::to_string(longest_pattern) + " bytes");
        }
        try {
            const std::regex readable(pattern);
        } catch (const std::regex_error & e) {
            throw error(errc::invalid_argument, "triggers: " + pattern + ": " + e.what());
        }
    }
}

trigger_search::trigger_search(const triggers & what) : words_(what.words) {
    for (const std::string & word : words_) {
        n_kept_ = std::max(n_kept_, word.size() - 1);
    }
    for (const std::string & text : what.patterns) {
        patterns_.push_back({std::regex(text), text.front() == '^' && text.back() == '$'});
        n_kept_ = std::max(n_kept_, n_for_patterns);
    }
}

bool trigger_search::finds(std::string_view more, std::string & text) const {
    if (more.empty()) {
        return false;
    }
    const std::string all = text_ + std::string(more);
    size_t at = std::string::npos;
    for (const std::string & word : words_) {
        // One that ended earlier was found, or refused, then.
        const size_t from = text_.size() - std::min(text_.size(), word.size() - 1);
        at = std::min(at, all.find(word, from));
    }
    for (const pattern & p : patterns_) {
        std::smatch match;
        const bool found =
            p.whole ? !cut_ && std::regex_match(all, match, p.regex) : std::regex_search(all, match, p.regex);
        if (!found) {
            continue;
        }
        size_t group = 0;
        for (size_t i = 1; i < match.size() && group == 0; ++i) {
            group = match.length(i) > 0 ? i : 0;
        }
        at = std::min(at, static_cast<size_t>(match.position(group)));
    }
    if (at == std::string::npos) {
        return false;
    }
    text = all.substr(at);
    return true;
}

void trigger_search::add(std::string_view more) {
    text_ += more;
    if (text_.size() > n_kept_) {
        text_.erase(0, text_.size() - n_kept_);
        cut_ = true;
    }
}

}  // namespace jan
