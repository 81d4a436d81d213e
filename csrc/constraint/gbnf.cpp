#include "constraint/gbnf.h"

#include "error.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

namespace jan {

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_of_name(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || is_digit(c);
}

class gbnf_reader {
  public:
    gbnf_reader(std::string_view text, const token_finder & find_token, const grammar_limits & limits)
        : text_(text), find_token_(find_token), limits_(limits) {}

    grammar read(const std::string & root) {
        if (text_.size() > limits_.n_bytes) {
            throw error(errc::invalid_argument,
                        "grammar: longer than " + std::to_string(limits_.n_bytes) + " bytes");
        }
        if (text_.find('\0') != std::string_view::npos) {
            throw error(errc::invalid_argument, "grammar: has a zero byte in it");
        }
        skip_space(true);
        while (at_ < text_.size()) {
            read_rule();
        }
        for (const auto & [name, spoken_of_at] : first_spoken_of_) {
            if (made_.rules[static_cast<size_t>(ids_[name])].alternatives.empty()) {
                at_ = spoken_of_at;
                fail("there is no rule " + name);
            }
        }
        const auto found = ids_.find(root);
        if (found == ids_.end()) {
            throw error(errc::invalid_argument, "grammar: there is no rule " + root);
        }
        made_.root = found->second;
        return std::move(made_);
    }

  private:
    [[noreturn]] void fail(const std::string & what) const {
        const std::string_view before = text_.substr(0, std::min(at_, text_.size()));
        const auto line = std::count(before.begin(), before.end(), '\n') + 1;
        const size_t line_start = before.rfind('\n');
        const size_t column = before.size() - (line_start == std::string_view::npos ? 0 : line_start + 1) + 1;
        throw error(errc::invalid_argument, "grammar: line " + std::to_string(line) + ", column " +
                                                std::to_string(column) + ": " + what);
    }

    char peek(size_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }

    void expect(char c) {
        if (peek() != c) {
            fail(std::string("a ") + c + " is missing");
        }
        ++at_;
    }

    void skip_space(bool newlines_too) {
        while (at_ < text_.size()) {
            const char c = text_[at_];
            if (c == '#') {
                while (at_ < text_.size() && peek() != '\n' && peek() != '\r') {
                    ++at_;
                }
            } else if (c == ' ' || c == '\t' || (newlines_too && (c == '\n' || c == '\r'))) {
                ++at_;
            } else {
                return;
            }
        }
    }

    std::string read_name() {
        const size_t start = at_;
        while (is_of_name(peek())) {
            ++at_;
        }
        if (at_ == start) {
            fail("a name is missing");
        }
        return std::string(text_.substr(start, at_ - start));
    }

    int64_t read_int() {
        if (!is_digit(peek())) {
            fail("a number is missing");
        }
        int64_t value = 0;
        while (is_digit(peek())) {
            value = std::min<int64_t>(value * 10 + (peek() - '0'), INT32_MAX);
            ++at_;
        }
        return value;
    }

    uint32_t read_hex(int n_digits) {
        uint32_t value = 0;
        for (int i = 0; i < n_digits; ++i) {
            const char c = peek();
            const int digit = is_digit(c)              ? c - '0'
                              : (c >= 'a' && c <= 'f') ? c - 'a' + 10
                              : (c >= 'A' && c <= 'F') ? c - 'A' + 10
                                                       : -1;
            if (digit < 0) {
                fail(std::to_string(n_digits) + " hexadecimal digits are needed here");
            }
            value = value << 4 | static_cast<uint32_t>(digit);
            ++at_;
        }
        return value;
    }

    uint32_t read_char() {
        if (at_ >= text_.size()) {
            fail("the grammar ends here");
        }
        if (peek() != '\\') {
            return take_code_point(text_, at_);
        }
        const char escaped = peek(1);
        at_ += 2;
        switch (escaped) {
            case 'x': return read_hex(2);
            case 'u': return read_hex(4);
            case 'U': return read_hex(8);
            case 't': return '\t';
            case 'r': return '\r';
            case 'n': return '\n';
            case '\\':
            case '"':
            case '[':
            case ']':
            case '-': return static_cast<unsigned char>(escaped);
            default: at_ -= 2; fail("this escape means nothing");
        }
    }

    int id_of(const std::string & name) {
        const auto [found, added] = ids_.emplace(name, static_cast<int>(made_.rules.size()));
        if (added) {
            made_.rules.push_back({name, {}});
        }
        return found->second;
    }

    void read_rule() {
        const std::string name = read_name();
        const int rule = id_of(name);
        skip_space(false);
        if (text_.substr(at_, 3) != "::=") {
            fail("::= is missing");
        }
        at_ += 3;
        skip_space(true);
        std::vector<grammar_sequence> alternatives = read_alternatives(0);
        made_.rules[static_cast<size_t>(rule)].alternatives = std::move(alternatives);
        if (at_ < text_.size() && peek() != '\n' && peek() != '\r') {
            fail("the rule should end here");
        }
        skip_space(true);
    }

    std::vector<grammar_sequence> read_alternatives(int depth) {
        if (depth > limits_.depth) {
            fail("more than " + std::to_string(limits_.depth) + " brackets inside each other");
        }
        std::vector<grammar_sequence> alternatives;
        alternatives.push_back(read_sequence(depth));
        while (peek() == '|') {
            ++at_;
            skip_space(true);
            alternatives.push_back(read_sequence(depth));
        }
        return alternatives;
    }

    grammar_sequence read_sequence(int depth) {
        grammar_sequence items;
        while (at_ < text_.size()) {
            const char c = peek();
            if (c == '*' || c == '+' || c == '?' || c == '{') {
                if (items.empty()) {
                    fail(std::string("there is nothing before this ") + c);
                }
                repeat(items.back());
            } else if (!read_item(depth, items)) {
                break;
            }
            skip_space(depth > 0);
        }
        return items;
    }

    bool read_item(int depth, grammar_sequence & to) {
        grammar_item item;
        const char c = peek();
        if (c == '"') {
            ++at_;
            while (peek() != '"') {
                append_utf8(read_char(), item.text);
            }
            ++at_;
        } else if (c == '[') {
            item.what = grammar_item::kind::chars;
            item.chars = read_set();
        } else if (c == '.') {
            ++at_;
            item.what = grammar_item::kind::chars;
            item.chars = without({});
        } else if (c == '<' || c == '!') {
            item.what = c == '!' ? grammar_item::kind::other_token : grammar_item::kind::one_token;
            at_ += c == '!' ? 1 : 0;
            item.id = read_token();
        } else if (is_of_name(c)) {
            const size_t start = at_;
            const std::string name = read_name();
            item.what = grammar_item::kind::rule;
            item.rule = id_of(name);
            first_spoken_of_.emplace(name, start);
        } else if (c == '(') {
            ++at_;
            skip_space(true);
            std::vector<grammar_sequence> alternatives = read_alternatives(depth + 1);
            expect(')');
            item.what = grammar_item::kind::rule;
            item.rule = static_cast<int>(made_.rules.size());
            made_.rules.push_back({"", std::move(alternatives)});
        } else {
            return false;
        }
        to.push_back(std::move(item));
        return true;
    }

    std::vector<char_range> read_set() {
        expect('[');
        const bool negated = peek() == '^';
        at_ += negated ? 1 : 0;
        std::vector<char_range> ranges;
        while (peek() != ']') {
            const uint32_t first = read_char();
            uint32_t last = first;
            if (peek() == '-' && peek(1) != ']') {
                ++at_;
                last = read_char();
            }
            ranges.push_back({first, last});
        }
        ++at_;
        return negated ? without(ranges) : tidied(std::move(ranges));
    }

    token read_token() {
        const size_t start = at_;
        expect('<');
        if (peek() == '[') {
            ++at_;
            const int64_t id = read_int();
            expect(']');
            expect('>');
            return static_cast<token>(id);
        }
        while (at_ < text_.size() && peek() != '>') {
            ++at_;
        }
        expect('>');
        const std::string_view name = text_.substr(start, at_ - start);
        const token id = find_token_(name);
        if (id < 0) {
            at_ = start;
            fail(std::string(name) + " is not one token of this vocabulary");
        }
        return id;
    }

    void repeat(grammar_item & item) {
        int64_t least = 0;
        int64_t most = without_end;
        const char c = peek();
        ++at_;
        if (c == '+') {
            least = 1;
        } else if (c == '?') {
            most = 1;
        } else if (c == '{') {
            skip_space(false);
            least = read_int();
            skip_space(false);
            most = least;
            if (peek() == ',') {
                ++at_;
                skip_space(false);
                most = is_digit(peek()) ? read_int() : without_end;
                skip_space(false);
            }
            expect('}');
            if (std::max(least, most) > limits_.n_repetitions) {
                fail("more than " + std::to_string(limits_.n_repetitions) + " repetitions");
            }
            if (most != without_end && most < least) {
                fail("at most fewer than at least");
            }
        }
        if (item.least != 1 || item.most != 1) {  // of what is repeated already
            made_.rules.push_back({"", {{std::move(item)}}});
            item = {};
            item.what = grammar_item::kind::rule;
            item.rule = static_cast<int>(made_.rules.size()) - 1;
        }
        item.least = static_cast<int>(least);
        item.most = static_cast<int>(most);
    }

    const std::string_view text_;
    const token_finder & find_token_;
    const grammar_limits limits_;
    size_t at_ = 0;
    grammar made_;
    std::unordered_map<std::string, int> ids_;
    std::unordered_map<std::string, size_t> first_spoken_of_;
};

}  // namespace

grammar read_gbnf(std::string_view text, const std::string & root, const token_finder & find_token,
                  const grammar_limits & limits) {
    return gbnf_reader(text, find_token, limits).read(root);
}

}  // namespace jan
