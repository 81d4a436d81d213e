#include "constraint/grammar.h"

#include "error.h"

#include <algorithm>

namespace jan {

namespace {

constexpr uint32_t last_code_point = 0x10FFFF;
constexpr char_range surrogates = {0xD800, 0xDFFF};

int continuation(std::string_view text, size_t at) {
    const int byte = at < text.size() ? static_cast<unsigned char>(text[at]) : 0;
    return (byte & 0xC0) == 0x80 ? byte & 0x3F : -1;
}

}  // namespace

std::vector<char_range> tidied(std::vector<char_range> ranges) {
    std::sort(ranges.begin(), ranges.end(), [](char_range a, char_range b) { return a.first < b.first; });
    std::vector<char_range> joined;
    for (char_range r : ranges) {
        r.last = std::min(r.last, last_code_point);
        if (r.first > r.last) {
            continue;
        }
        if (!joined.empty() && r.first <= joined.back().last + 1) {
            joined.back().last = std::max(joined.back().last, r.last);
        } else {
            joined.push_back(r);
        }
    }
    return joined;
}

std::vector<char_range> without(const std::vector<char_range> & ranges) {
    std::vector<char_range> taken = ranges;
    taken.push_back({0, 0});
    taken.push_back(surrogates);
    std::vector<char_range> left;
    uint32_t next = 0;
    for (const char_range & r : tidied(std::move(taken))) {
        if (r.first > next) {
            left.push_back({next, r.first - 1});
        }
        next = r.last + 1;
    }
    if (next <= last_code_point) {
        left.push_back({next, last_code_point});
    }
    return left;
}

void append_utf8(uint32_t c, std::string & to) {
    const auto add = [&to](uint32_t byte) { to.push_back(static_cast<char>(byte)); };
    if (c < 0x80) {
        add(c);
        return;
    }
    if (c < 0x800) {
        add(0xC0 | c >> 6);
    } else if (c < 0x10000) {
        add(0xE0 | c >> 12);
        add(0x80 | (c >> 6 & 0x3F));
    } else {
        add(0xF0 | c >> 18);
        add(0x80 | (c >> 12 & 0x3F));
        add(0x80 | (c >> 6 & 0x3F));
    }
    add(0x80 | (c & 0x3F));
}

uint32_t take_code_point(std::string_view text, size_t & at) {
    const uint32_t first = static_cast<unsigned char>(text[at++]);
    const int n_more = first >= 0xF0 && first < 0xF8 ? 3 : first >= 0xE0 ? 2 : first >= 0xC0 ? 1 : 0;
    if (n_more == 0 || first >= 0xF8) {
        return first;
    }
    uint32_t value = first & (0x3Fu >> n_more);
    for (int i = 0; i < n_more; ++i) {
        const int bits = continuation(text, at + static_cast<size_t>(i));
        if (bits < 0) {
            return first;
        }
        value = value << 6 | static_cast<uint32_t>(bits);
    }
    at += static_cast<size_t>(n_more);
    return value;
}

grammar choice_grammar(const std::vector<std::string> & texts, const grammar_limits & limits) {
    if (texts.empty()) {
        throw error(errc::invalid_argument, "choices: there is nothing to choose from");
    }
    if (texts.size() > static_cast<size_t>(limits.n_choices)) {
        throw error(errc::invalid_argument, "choices: more than " + std::to_string(limits.n_choices));
    }
    size_t n_bytes = 0;
    grammar made;
    made.rules.push_back({"root", {}});
    for (const std::string & text : texts) {
        n_bytes += text.size();
        if (text.empty()) {
            throw error(errc::invalid_argument, "choices: one of them is empty");
        }
        grammar_item item;
        item.text = text;
        made.rules[0].alternatives.push_back({item});
    }
    if (n_bytes > limits.n_bytes) {
        throw error(errc::invalid_argument,
                    "choices: more than " + std::to_string(limits.n_bytes) + " bytes");
    }
    return made;
}

}  // namespace jan
