#include "constraint/regex_grammar.h"

#include "error.h"

#include <algorithm>
#include <string>
#include <utility>

namespace jan {

namespace {

using item_kind = grammar_item::kind;

const std::vector<char_range> digits = {{'0', '9'}};
const std::vector<char_range> word_chars = {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
const std::vector<char_range> spaces = {{'\t', '\r'}, {' ', ' '}};

class regex_reader {
  public:
    regex_reader(std::string_view text, const grammar_limits & limits) : text_(text), limits_(limits) {}

    grammar read() {
        if (text_.size() > limits_.n_bytes) {
            throw error(errc::invalid_argument,
                        "regex: longer than " + std::to_string(limits_.n_bytes) + " bytes");
        }
        made_.rules.push_back({"root", {}});
        std::vector<grammar_sequence> alternatives = read_alternatives(0);
        if (at_ < text_.size()) {
            fail("this bracket was never opened");
        }
        made_.rules[0].alternatives = std::move(alternatives);
        return std::move(made_);
    }

  private:
    [[noreturn]] void fail(const std::string & what) const {
        throw error(errc::invalid_argument, "regex: at " + std::to_string(at_ + 1) + ": " + what);
    }

    bool at_end() const { return at_ >= text_.size(); }
    char peek(size_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }

    bool take(std::string_view what) {
        if (text_.substr(at_, what.size()) != what) {
            return false;
        }
        at_ += what.size();
        return true;
    }

    std::vector<grammar_sequence> read_alternatives(int depth) {
        if (depth > limits_.depth) {
            fail("more than " + std::to_string(limits_.depth) + " brackets inside each other");
        }
        std::vector<grammar_sequence> alternatives;
        do {
            alternatives.push_back(read_sequence(depth));
        } while (take("|"));
        return alternatives;
    }

    grammar_sequence read_sequence(int depth) {
        grammar_sequence items;
        bool may_repeat = false;
        while (!at_end() && peek() != '|' && peek() != ')') {
            const char c = peek();
            if (c == '^') {
                if (!items.empty() || depth > 0) {
                    fail("^ can only stand at the beginning");
                }
                ++at_;
                continue;
            }
            if (c == '$') {
                ++at_;
                if (depth > 0 || (!at_end() && peek() != '|')) {
                    fail("$ can only stand at the end");
                }
                continue;
            }
            if (c == '*' || c == '+' || c == '?' || (c == '{' && is_count())) {
                if (!may_repeat) {
                    fail(std::string("there is nothing before this ") + c);
                }
                repeat(items.back());
                may_repeat = false;
                continue;
            }
            items.push_back(c == '(' ? read_group(depth) : read_chars());
            may_repeat = true;
        }
        return items;
    }

    grammar_item read_group(int depth) {
        ++at_;
        if (take("?P<") || (peek(0) == '?' && peek(1) == '<' && peek(2) != '=' && peek(2) != '!')) {
            const size_t end = text_.find('>', at_);
            if (end == std::string_view::npos) {
                fail("the group's name does not end");
            }
            at_ = end + 1;
        } else if (!take("?:") && peek() == '?') {
            fail("this kind of group is not supported: it looks around, or changes how to read");
        }
        std::vector<grammar_sequence> alternatives = read_alternatives(depth + 1);
        if (!take(")")) {
            fail("a ) is missing");
        }
        grammar_item item;
        item.what = item_kind::rule;
        item.rule = static_cast<int>(made_.rules.size());
        made_.rules.push_back({"", std::move(alternatives)});
        return item;
    }

    grammar_item read_chars() {
        grammar_item item;
        item.what = item_kind::chars;
        if (peek() == '[') {
            item.chars = read_set();
        } else if (take(".")) {
            item.chars = without({{'\n', '\n'}});
        } else if (peek() == '\\') {
            item.chars = read_escape(false);
        } else {
            const uint32_t c = take_code_point(text_, at_);
            item.chars = {{c, c}};
        }
        return item;
    }

    std::vector<char_range> read_set() {
        const size_t start = at_++;
        const bool negated = take("^");
        std::vector<char_range> ranges;
        for (bool first = true; peek() != ']' || first; first = false) {
            if (at_end()) {
                at_ = start;
                fail("this set does not end");
            }
            const std::vector<char_range> lower = read_set_member();
            const bool single = lower.size() == 1 && lower[0].first == lower[0].last;
            if (single && peek() == '-' && peek(1) != ']' && peek(1) != '\0') {
                ++at_;
                const std::vector<char_range> upper = read_set_member();
                if (upper.size() != 1 || upper[0].first != upper[0].last || upper[0].first < lower[0].first) {
                    fail("this range is none");
                }
                ranges.push_back({lower[0].first, upper[0].first});
            } else {
                ranges.insert(ranges.end(), lower.begin(), lower.end());
            }
        }
        ++at_;
        return negated ? without(ranges) : tidied(std::move(ranges));
    }

    std::vector<char_range> read_set_member() {
        if (peek() == '\\') {
            return read_escape(true);
        }
        const uint32_t c = take_code_point(text_, at_);
        return {{c, c}};
    }

    std::vector<char_range> read_escape(bool in_set) {
        ++at_;
        if (at_end()) {
            fail("the pattern ends in a backslash");
        }
        const uint32_t c = take_code_point(text_, at_);
        const auto one = [](uint32_t code_point) {
            return std::vector<char_range>{{code_point, code_point}};
        };
        switch (c) {
            case 'd': return digits;
            case 'w': return word_chars;
            case 's': return spaces;
            case 'D': return without(digits);
            case 'W': return without(word_chars);
            case 'S': return without(spaces);
            case 'n': return one('\n');
            case 't': return one('\t');
            case 'r': return one('\r');
            case 'f': return one('\f');
            case 'v': return one('\v');
            case 'x': return one(read_hex(2));
            case 'u': return one(read_hex(4));
            case 'U': return one(read_hex(8));
            default: break;
        }
        if (in_set && c == 'b') {
            return one('\b');
        }
        if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) {
            fail("this escape is not supported");
        }
        return one(c);
    }

    uint32_t read_hex(int n_digits) {
        uint32_t value = 0;
        for (int i = 0; i < n_digits; ++i, ++at_) {
            const char c = peek();
            const int digit = c >= '0' && c <= '9'   ? c - '0'
                              : c >= 'a' && c <= 'f' ? c - 'a' + 10
                              : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                                     : -1;
            if (digit < 0) {
                fail(std::to_string(n_digits) + " hexadecimal digits are needed here");
            }
            value = value << 4 | static_cast<uint32_t>(digit);
        }
        return value;
    }

    // Whether the brace begins {m}, {m,} {,n} or {m,n}; otherwise it is a character.
    bool is_count() const {
        size_t i = 1;
        size_t n_digits = 0;
        for (; (peek(i) >= '0' && peek(i) <= '9') || peek(i) == ','; ++i) {
            n_digits += peek(i) != ',';
        }
        return n_digits > 0 && peek(i) == '}';
    }

    int read_int(int otherwise) {
        if (peek() < '0' || peek() > '9') {
            return otherwise;
        }
        int value = 0;
        for (; peek() >= '0' && peek() <= '9'; ++at_) {
            value = std::min(value, limits_.n_repetitions) * 10 + (peek() - '0');
        }
        if (value > limits_.n_repetitions) {
            fail("more than " + std::to_string(limits_.n_repetitions) + " repetitions");
        }
        return value;
    }

    void repeat(grammar_item & item) {
        const char c = peek();
        ++at_;
        item.least = c == '+' ? 1 : 0;
        item.most = c == '?' ? 1 : without_end;
        if (c == '{') {
            item.least = read_int(0);
            item.most = take(",") ? read_int(without_end) : item.least;
            if (!take("}") || (item.most != without_end && item.most < item.least)) {
                fail("this count is none");
            }
        }
        if (peek() == '?') {  // as few as possible: the same texts match
            ++at_;
        } else if (peek() == '+') {
            fail("a possessive repetition is not supported");
        }
    }

    const std::string_view text_;
    const grammar_limits limits_;
    size_t at_ = 0;
    grammar made_;
};

}  // namespace

grammar regex_grammar(std::string_view pattern, const grammar_limits & limits) {
    return regex_reader(pattern, limits).read();
}

}  // namespace jan
