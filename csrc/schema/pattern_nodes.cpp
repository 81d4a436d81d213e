#include "schema/pattern_nodes.h"

#include <algorithm>
#include <string>

namespace jan {

namespace {

constexpr int most_nodes = 20'000;
constexpr int most_depth = 100;
constexpr int most_count = 2000;
constexpr int without_limit = -1;

const std::vector<char_range> digits = {{'0', '9'}};
const std::vector<char_range> word_chars = {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
// What everybody takes for a space, and what anybody does: programs differ in their reading of \s, and
// a text has to please them all.
const std::vector<char_range> spaces = {{'\t', '\r'}, {' ', ' '}};
const std::vector<char_range> all_spaces = {{'\t', '\r'},     {0x1C, ' '},      {0x85, 0x85},
                                            {0xA0, 0xA0},     {0x1680, 0x1680}, {0x2000, 0x200A},
                                            {0x2028, 0x2029}, {0x202F, 0x202F}, {0x205F, 0x205F},
                                            {0x3000, 0x3000}, {0xFEFF, 0xFEFF}};
const std::vector<char_range> line_ends = {{'\n', '\n'}, {'\r', '\r'}, {0x2028, 0x2029}};

class reader {
  public:
    reader(std::string_view text, pattern_nodes & into) : text_(text), into_(into) {}

    // From `from` along all the text has up to a bracket that closes; the node behind it.
    int alternatives(int from, int depth) {
        if (depth > most_depth) {
            throw pattern_unheld("it is nested too deep");
        }
        const int end = into_.add();
        do {
            into_.join(sequence(from, depth), pattern_nodes::way::skip, end);
        } while (take('|'));
        return end;
    }

    bool at_end() const { return at_ >= text_.size(); }

  private:
    [[noreturn]] static void wrong(const std::string & why) { throw std::invalid_argument(why); }
    char peek(size_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }

    bool take(char c) {
        if (at_end() || peek() != c) {
            return false;
        }
        ++at_;
        return true;
    }

    int sequence(int from, int depth) {
        while (!at_end() && peek() != '|' && peek() != ')') {
            const size_t begin = at_;
            const int to = atom(from, depth);
            int least = 1;
            int most = 1;
            if (!count(least, most)) {
                from = to;
                continue;
            }
            // The copies are read from the text again, each with nodes of its own.
            const size_t behind = at_;
            from = copies(begin, from, to, least, most, depth);
            at_ = behind;
        }
        return from;
    }

    int copies(size_t begin, int from, int first_end, int least, int most, int depth) {
        const auto again = [&](int at) {
            at_ = begin;
            return atom(at, depth);
        };
        if (most == 0) {
            return from;  // its nodes lead nowhere
        }
        const int end = into_.add();
        int at = from;
        int n = 0;
        for (; n < least; ++n) {
            at = n == 0 ? first_end : again(at);
        }
        if (most == without_limit) {
            const int loop = into_.add();
            into_.join(at, pattern_nodes::way::skip, loop);
            into_.join(again(loop), pattern_nodes::way::skip, loop);
            into_.join(loop, pattern_nodes::way::skip, end);
            if (least == 0) {  // the first copy stays as one that may come
                into_.join(first_end, pattern_nodes::way::skip, loop);
            }
            return end;
        }
        into_.join(at, pattern_nodes::way::skip, end);
        for (; n < most; ++n) {
            at = n == 0 ? first_end : again(at);
            into_.join(at, pattern_nodes::way::skip, end);
        }
        return end;
    }

    bool count(int & least, int & most) {
        const char c = peek();
        if (c == '*' || c == '+' || c == '?') {
            ++at_;
            least = c == '+' ? 1 : 0;
            most = c == '?' ? 1 : without_limit;
        } else if (c == '{' && is_count()) {
            ++at_;
            least = number();
            most = take(',') ? (peek() == '}' ? without_limit : number()) : least;
            ++at_;
            if (most != without_limit && most < least) {
                wrong("numbers out of order in {}");
            }
        } else {
            return false;
        }
        take('?');  // as few as possible: found in the same texts
        if (peek() == '*' || peek() == '+' || peek() == '?') {
            wrong("nothing to repeat");
        }
        return true;
    }

    bool is_count() const {
        size_t i = 1;
        while (peek(i) >= '0' && peek(i) <= '9') {
            ++i;
        }
        if (i == 1) {
            return false;
        }
        i += peek(i) == ',';
        while (peek(i) >= '0' && peek(i) <= '9') {
            ++i;
        }
        return peek(i) == '}';
    }

    int number() {
        int value = 0;
        for (; peek() >= '0' && peek() <= '9'; ++at_) {
            value = std::min(value * 10 + (peek() - '0'), most_count + 1);
        }
        if (value > most_count) {
            throw pattern_unheld("it repeats more than " + std::to_string(most_count) + " times");
        }
        return value;
    }

    int atom(int from, int depth) {
        const int to = into_.add();
        if (take('^')) {
            into_.join(from, pattern_nodes::way::at_begin, to);
        } else if (take('$')) {
            into_.join(from, pattern_nodes::way::at_end, to);
        } else if (take('(')) {
            group();
            into_.join(alternatives(from, depth + 1), pattern_nodes::way::skip, to);
            if (!take(')')) {
                wrong("missing )");
            }
        } else if (peek() == '*' || peek() == '+' || peek() == '?') {
            wrong("nothing to repeat");
        } else {
            into_.join(from, pattern_nodes::way::chars, to, chars());
        }
        return to;
    }

    void group() {
        if (!take('?')) {
            return;
        }
        if (take(':')) {
            return;
        }
        if (peek() == '<' && peek(1) != '=' && peek(1) != '!') {
            const size_t end = text_.find('>', at_);
            if (end == std::string_view::npos) {
                wrong("a group's name does not end");
            }
            at_ = end + 1;
            return;
        }
        throw pattern_unheld("it looks around");
    }

    std::vector<char_range> chars() {
        if (take('.')) {
            return any_but(line_ends);
        }
        if (take('[')) {
            return set();
        }
        if (take('\\')) {
            return escape(false);
        }
        const uint32_t c = take_code_point(text_, at_);
        return {{c, c}};
    }

    std::vector<char_range> set() {
        const bool negated = take('^');
        std::vector<char_range> ranges;
        while (!take(']')) {
            if (at_end()) {
                wrong("missing ]");
            }
            const std::vector<char_range> low = member(negated);
            const bool single = low.size() == 1 && low[0].first == low[0].last;
            if (single && peek() == '-' && at_ + 1 < text_.size() && peek(1) != ']') {
                ++at_;
                const std::vector<char_range> high = member(negated);
                if (high.size() != 1 || high[0].first != high[0].last || high[0].first < low[0].first) {
                    wrong("range out of order in []");
                }
                ranges.push_back({low[0].first, high[0].first});
            } else {
                ranges.insert(ranges.end(), low.begin(), low.end());
            }
        }
        ranges = tidied(std::move(ranges));
        return negated ? any_but(ranges) : ranges;
    }

    std::vector<char_range> member(bool negated) {
        if (take('\\')) {
            return escape(true, negated);
        }
        const uint32_t c = take_code_point(text_, at_);
        return {{c, c}};
    }

    std::vector<char_range> escape(bool in_set, bool negated = false) {
        if (at_end()) {
            wrong("\\ at the end");
        }
        const uint32_t c = take_code_point(text_, at_);
        const auto one = [](uint32_t code) { return std::vector<char_range>{{code, code}}; };
        switch (c) {
            case 'd': return digits;
            case 'w': return word_chars;
            case 's': return negated ? all_spaces : spaces;
            case 'D': return any_but(digits);
            case 'W': return any_but(word_chars);
            case 'S': return any_but(negated ? spaces : all_spaces);
            case 'n': return one('\n');
            case 't': return one('\t');
            case 'r': return one('\r');
            case 'f': return one('\f');
            case 'v': return one('\v');
            case '0': return one(0);
            case 'x': return one(hex(2));
            case 'u': return one(unicode());
            case 'c': return one(static_cast<uint32_t>(text_[at_++]) % 32);
            case 'b':
                if (in_set) {
                    return one('\b');
                }
                [[fallthrough]];
            case 'B': throw pattern_unheld("it asks for the edge of a word");
            case 'p':
            case 'P': throw pattern_unheld("it asks for a class of Unicode");
            case 'k': throw pattern_unheld("it refers back");
            default: break;
        }
        if (c >= '1' && c <= '9') {
            throw pattern_unheld("it refers back");
        }
        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) {
            wrong(std::string("unknown escape \\") + static_cast<char>(c));
        }
        return one(c);
    }

    uint32_t unicode() {
        if (take('{')) {
            uint32_t value = 0;
            while (!take('}')) {
                value = value << 4 | digit();
                if (value > 0x10FFFF) {
                    wrong("no such character");
                }
            }
            return value;
        }
        const uint32_t first = hex(4);
        if (first >= 0xD800 && first < 0xDC00 && peek() == '\\' && peek(1) == 'u') {
            at_ += 2;
            return 0x10000 + ((first - 0xD800) << 10 | (hex(4) & 0x3FF));
        }
        return first;
    }

    uint32_t hex(int n) {
        uint32_t value = 0;
        for (int i = 0; i < n; ++i) {
            value = value << 4 | digit();
        }
        return value;
    }

    uint32_t digit() {
        const char c = peek();
        ++at_;
        const int value = c >= '0' && c <= '9'   ? c - '0'
                          : c >= 'a' && c <= 'f' ? c - 'a' + 10
                          : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                                 : -1;
        if (value < 0) {
            wrong("hexadecimal digits are missing");
        }
        return static_cast<uint32_t>(value);
    }

    const std::string_view text_;
    pattern_nodes & into_;
    size_t at_ = 0;
};

}  // namespace

int pattern_nodes::add() {
    if (static_cast<int>(nodes.size()) >= most_nodes) {
        throw pattern_unheld("it is too large");
    }
    nodes.emplace_back();
    return static_cast<int>(nodes.size()) - 1;
}

std::vector<char_range> any_but(const std::vector<char_range> & ranges) {
    std::vector<char_range> left = without(ranges);
    const bool has_zero = !ranges.empty() && ranges[0].first == 0;
    if (!has_zero) {
        left.push_back({0, 0});
    }
    return tidied(std::move(left));
}

int read_pattern(std::string_view pattern, int from, pattern_nodes & into) {
    reader all(pattern, into);
    const int behind = all.alternatives(from, 0);
    if (!all.at_end()) {
        throw std::invalid_argument("unmatched )");
    }
    return behind;
}

}  // namespace jan
