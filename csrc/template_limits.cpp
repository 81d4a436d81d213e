#include "template_limits.h"

#include "error.h"

#include <cctype>
#include <cstddef>
#include <string>
#include <vector>

namespace jan {

namespace {

constexpr size_t max_source = 256 * 1024;
constexpr int max_depth = 64;
constexpr int max_in_tag = 1000;
constexpr int max_branches = 200;

[[noreturn]] void fail(const std::string & why) {
    throw error(errc::invalid_argument, "chat_template: " + why);
}

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; }

// What stands between the braces of a tag, from `at` on. Returns where it ends.
class tag {
  public:
    explicit tag(std::string_view source) : source_(source) {}

    size_t read(size_t at, char closing) {
        int depth = 0;
        n_ = 0;
        first_.clear();
        while (at < source_.size()) {
            const char c = source_[at];
            if (c == closing && depth == 0 && at + 1 < source_.size() && source_[at + 1] == '}') {
                return at + 2;
            }
            if (c == '"' || c == '\'') {
                at = after_string(at);
            } else if (is_word(c)) {
                const size_t begin = at;
                while (at < source_.size() && is_word(source_[at])) {
                    at++;
                }
                if (first_.empty()) {
                    first_ = std::string(source_.substr(begin, at - begin));
                }
            } else {
                depth += c == '(' || c == '[' || c == '{';
                depth -= (c == ')' || c == ']' || c == '}') && depth > 0;
                at++;
                if (std::isspace(static_cast<unsigned char>(c))) {
                    continue;
                }
                n_ = c == ',' ? 0 : n_;  // a list is read in a loop
            }
            if (depth > max_depth) {
                fail("brackets nested more than " + std::to_string(max_depth) + " deep");
            }
            if (++n_ > max_in_tag) {
                fail("more than " + std::to_string(max_in_tag) + " words and signs without a comma");
            }
        }
        return source_.size();
    }

    const std::string & first_word() const { return first_; }

  private:
    size_t after_string(size_t at) const {
        const char quote = source_[at++];
        while (at < source_.size() && source_[at] != quote) {
            at += source_[at] == '\\' ? 2 : 1;
        }
        return at + 1;
    }

    const std::string_view source_;
    std::string first_;
    int n_ = 0;
};

}  // namespace

void check_template(std::string_view source) {
    if (source.size() > max_source) {
        fail("longer than " + std::to_string(max_source) + " bytes");
    }
    std::vector<int> branches;  // of each open block
    tag inside(source);
    const size_t none = std::string_view::npos;
    for (size_t at = source.find('{'); at != none && at + 1 < source.size(); at = source.find('{', at)) {
        const char kind = source[at + 1];
        if (kind == '#') {
            at = source.find("#}", at);
        } else if (kind == '{' || kind == '%') {
            at = inside.read(at + 2, kind == '{' ? '}' : '%');
            const std::string & word = inside.first_word();
            if (kind == '{') {
                continue;
            }
            if (word.compare(0, 3, "end") == 0 && !branches.empty()) {
                branches.pop_back();
            } else if (word == "elif" && !branches.empty() && ++branches.back() > max_branches) {
                fail("more than " + std::to_string(max_branches) + " branches in a row");
            } else if (word == "if" || word == "for" || word == "macro" || word == "call" ||
                       word == "filter") {
                branches.push_back(0);
            }
            if (branches.size() > static_cast<size_t>(max_depth)) {
                fail("blocks nested more than " + std::to_string(max_depth) + " deep");
            }
        } else {
            at++;
        }
    }
}

}  // namespace jan
