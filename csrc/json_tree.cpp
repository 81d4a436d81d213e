#include "json_tree.h"

#include "error.h"

#include <cstdint>
#include <cstdlib>
#include <unordered_set>

namespace jan {

namespace {

class reader {
  public:
    reader(std::string_view text, const char * field, const json_limits & limits)
        : text_(text), field_(field), limits_(limits) {}

    json_tree whole() {
        if (text_.size() > limits_.n_bytes) {
            fail("longer than " + std::to_string(limits_.n_bytes) + " bytes");
        }
        json_tree tree = value(1);
        skip_space();
        if (at_ != text_.size()) {
            broken("something follows the value");
        }
        return tree;
    }

  private:
    [[noreturn]] void fail(const std::string & why) const {
        throw error(errc::invalid_argument, std::string(field_) + ": " + why);
    }

    [[noreturn]] void broken(const char * why) const {
        fail(std::string("not JSON: ") + why + " at byte " + std::to_string(at_));
    }

    char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }

    void skip_space() {
        while (peek() == ' ' || peek() == '\n' || peek() == '\r' || peek() == '\t') {
            at_++;
        }
    }

    bool take(char wanted) {
        skip_space();
        if (peek() != wanted) {
            return false;
        }
        at_++;
        return true;
    }

    void word(std::string_view wanted) {
        if (text_.substr(at_, wanted.size()) != wanted) {
            broken("no value begins like this");
        }
        at_ += wanted.size();
    }

    json_tree value(size_t depth) {
        if (depth > limits_.depth) {
            fail("nested more than " + std::to_string(limits_.depth) + " levels deep");
        }
        if (++n_values_ > limits_.n_values) {
            fail("more than " + std::to_string(limits_.n_values) + " values");
        }
        skip_space();
        json_tree tree;
        switch (peek()) {
            case '{': object(tree, depth); break;
            case '[': array(tree, depth); break;
            case '"':
                tree.type = json_tree::kind::string;
                tree.text = string();
                break;
            case 't':
                word("true");
                tree.type = json_tree::kind::boolean;
                tree.truth = true;
                break;
            case 'f':
                word("false");
                tree.type = json_tree::kind::boolean;
                break;
            case 'n': word("null"); break;
            default: number(tree);
        }
        return tree;
    }

    void object(json_tree & tree, size_t depth) {
        tree.type = json_tree::kind::object;
        at_++;
        if (take('}')) {
            return;
        }
        std::unordered_set<std::string> keys;
        do {
            skip_space();
            if (peek() != '"') {
                broken("a key is missing");
            }
            std::string key = string();
            if (!keys.insert(key).second) {
                fail("the key \"" + key + "\" comes twice in one object");
            }
            if (keys.size() > limits_.n_members) {
                fail("an object with more than " + std::to_string(limits_.n_members) + " keys");
            }
            if (!take(':')) {
                broken("a colon is missing");
            }
            tree.members.emplace_back(std::move(key), value(depth + 1));
        } while (take(','));
        if (!take('}')) {
            broken("an object does not end");
        }
    }

    void array(json_tree & tree, size_t depth) {
        tree.type = json_tree::kind::array;
        at_++;
        if (take(']')) {
            return;
        }
        do {
            tree.items.push_back(value(depth + 1));
        } while (take(','));
        if (!take(']')) {
            broken("an array does not end");
        }
    }

    static bool is_number(std::string_view text) {
        size_t at = 0;
        const auto digits = [&] {
            const size_t first = at;
            while (at < text.size() && text[at] >= '0' && text[at] <= '9') {
                ++at;
            }
            return at > first;
        };
        const auto take = [&](char c) { return at < text.size() && text[at] == c && ++at > 0; };
        take('-');
        if (!take('0') && !digits()) {
            return false;
        }
        if (take('.') && !digits()) {
            return false;
        }
        if (take('e') || take('E')) {
            if (!take('+')) {
                take('-');
            }
            if (!digits()) {
                return false;
            }
        }
        return at == text.size();
    }

    // It keeps its characters: they may be more than a double holds.
    void number(json_tree & tree) {
        tree.type = json_tree::kind::number;
        const size_t begin = at_;
        while (peek() == '-' || peek() == '+' || peek() == '.' || peek() == 'e' || peek() == 'E' ||
               (peek() >= '0' && peek() <= '9')) {
            at_++;
        }
        if (at_ == begin || at_ - begin > 64) {
            broken(at_ == begin ? "no value begins like this" : "a number with too many digits");
        }
        if (!is_number(text_.substr(begin, at_ - begin))) {
            broken("a number that is none");
        }
        tree.text = std::string(text_.substr(begin, at_ - begin));
    }

    uint32_t four_digits() {
        uint32_t code = 0;
        for (int i = 0; i < 4; i++) {
            const char c = peek();
            const int digit = c >= '0' && c <= '9'   ? c - '0'
                              : c >= 'a' && c <= 'f' ? c - 'a' + 10
                              : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                                     : -1;
            if (digit < 0) {
                broken("\\u wants four hexadecimal digits");
            }
            code = code * 16 + static_cast<uint32_t>(digit);
            at_++;
        }
        return code;
    }

    void escape(std::string & out) {
        at_++;
        const char c = peek();
        at_++;
        switch (c) {
            case '"':
            case '\\':
            case '/': out += c; return;
            case 'b': out += '\b'; return;
            case 'f': out += '\f'; return;
            case 'n': out += '\n'; return;
            case 'r': out += '\r'; return;
            case 't': out += '\t'; return;
            case 'u': break;
            default: broken("an escape that JSON does not know");
        }
        uint32_t code = four_digits();
        if (code >= 0xD800 && code <= 0xDFFF) {
            if (code > 0xDBFF || peek() != '\\' || at_ + 1 >= text_.size() || text_[at_ + 1] != 'u') {
                broken("half of a surrogate pair");
            }
            at_ += 2;
            const uint32_t low = four_digits();
            if (low < 0xDC00 || low > 0xDFFF) {
                broken("half of a surrogate pair");
            }
            code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
        }
        append(out, code);
    }

    static void append(std::string & out, uint32_t code) {
        const auto byte = [&](uint32_t value) {
            out += static_cast<char>(static_cast<unsigned char>(value));
        };
        if (code < 0x80) {
            byte(code);
        } else if (code < 0x800) {
            byte(0xC0 | (code >> 6));
            byte(0x80 | (code & 0x3F));
        } else if (code < 0x10000) {
            byte(0xE0 | (code >> 12));
            byte(0x80 | ((code >> 6) & 0x3F));
            byte(0x80 | (code & 0x3F));
        } else {
            byte(0xF0 | (code >> 18));
            byte(0x80 | ((code >> 12) & 0x3F));
            byte(0x80 | ((code >> 6) & 0x3F));
            byte(0x80 | (code & 0x3F));
        }
    }

    std::string string() {
        std::string out;
        at_++;
        while (at_ < text_.size() && text_[at_] != '"') {
            if (text_[at_] == '\\') {
                escape(out);
                continue;
            }
            if (static_cast<unsigned char>(text_[at_]) < 0x20) {
                broken("a control character in a string");
            }
            out += text_[at_++];
        }
        if (at_ >= text_.size()) {
            broken("a string does not end");
        }
        at_++;
        return out;
    }

    const std::string_view text_;
    const char * field_;
    const json_limits limits_;
    size_t at_ = 0;
    size_t n_values_ = 0;
};

}  // namespace

const json_tree * json_tree::find(std::string_view key) const {
    for (const auto & [name, value] : members) {
        if (name == key) {
            return &value;
        }
    }
    return nullptr;
}

double json_tree::number() const { return is_number() ? std::strtod(text.c_str(), nullptr) : 0.0; }

json_tree parse_json(std::string_view text, const char * field, const json_limits & limits) {
    return reader(text, field, limits).whole();
}

}  // namespace jan
