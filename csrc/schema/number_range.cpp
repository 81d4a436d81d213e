#include "schema/number_range.h"

#include "schema/pattern.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <tuple>

namespace jan {

namespace {

constexpr size_t most_digits = 40;
constexpr size_t usual_digits = 16;
constexpr int64_t most_remainders = 2000;

std::string repeated(const char * what, size_t least, size_t most) {
    return std::string(what) + "{" + std::to_string(least) + "," + std::to_string(most) + "}";
}

std::string digit_class(char first, char last) { return std::string("[") + first + "-" + last + "]"; }

const std::string any_fraction = "(\\.[0-9]{1,16})?";

// Of digits as long as `of`: those that come after it, or before it. `rest` follows what differs.
void differing(const std::string & of, bool after, bool leading, const std::string & behind,
               std::vector<std::string> & into) {
    for (size_t i = 0; i < of.size(); ++i) {
        const char lowest = leading && i == 0 && of.size() > 1 ? '1' : '0';
        const char first = after ? static_cast<char>(of[i] + 1) : lowest;
        const char last = after ? '9' : static_cast<char>(of[i] - 1);
        if (first <= last) {
            const size_t n = of.size() - i - 1;
            into.push_back(of.substr(0, i) + digit_class(first, last) + repeated("[0-9]", n, n) + behind);
        }
    }
}

std::string joined(const std::vector<std::string> & parts) {
    std::string all;
    for (const std::string & part : parts) {
        all += (all.empty() ? "" : "|") + part;
    }
    return "(?:" + all + ")";
}

// Without their sign: numbers from `of` on, or more than it.
std::vector<std::string> from(const decimal & of, bool exclusive, size_t n_whole) {
    std::vector<std::string> parts;
    if (of.whole.size() < n_whole) {
        parts.push_back("[1-9]" + repeated("[0-9]", of.whole.size(), n_whole - 1) + any_fraction);
    }
    differing(of.whole, true, true, any_fraction, parts);
    const std::string & f = of.fraction;
    if (f.empty()) {
        parts.push_back(exclusive ? of.whole + "\\.0{0,15}[1-9][0-9]{0,15}" : of.whole + any_fraction);
        return parts;
    }
    for (size_t i = 0; i < f.size(); ++i) {
        if (f[i] < '9') {
            parts.push_back(of.whole + "\\." + f.substr(0, i) +
                            digit_class(static_cast<char>(f[i] + 1), '9') + "[0-9]{0,15}");
        }
    }
    parts.push_back(of.whole + "\\." + f + (exclusive ? "0{0,15}[1-9][0-9]{0,15}" : "[0-9]{0,15}"));
    return parts;
}

// Without their sign: numbers up to `of`, or less than it.
std::vector<std::string> up_to(const decimal & of, bool exclusive) {
    std::vector<std::string> parts;
    if (of.whole.size() > 1) {
        parts.push_back("(?:0|[1-9]" + repeated("[0-9]", 0, of.whole.size() - 2) + ")" + any_fraction);
    }
    differing(of.whole, false, true, any_fraction, parts);
    const std::string & f = of.fraction;
    if (f.empty()) {
        if (!exclusive) {
            parts.push_back(of.whole + "(\\.0{1,16})?");
        }
        return parts;
    }
    parts.push_back(of.whole + "(\\.0{1,16})?");
    for (size_t i = 0; i < f.size(); ++i) {
        if (f[i] > '0') {
            parts.push_back(of.whole + "\\." + f.substr(0, i) +
                            digit_class('0', static_cast<char>(f[i] - 1)) + "[0-9]{0,15}");
        }
        if (i > 0) {
            parts.push_back(of.whole + "\\." + f.substr(0, i) + "0{0,15}");
        }
    }
    if (!exclusive) {
        parts.push_back(of.whole + "\\." + f + "0{0,15}");
    }
    return parts;
}

std::string least_pattern(const number_bound & bound, size_t n_whole) {
    const std::string any = "(?:0|[1-9]" + repeated("[0-9]", 0, n_whole - 1) + ")" + any_fraction;
    if (!bound.at.negative) {
        return "^" + joined(from(bound.at, bound.exclusive, n_whole)) + "$";
    }
    const std::vector<std::string> below = up_to(bound.at, bound.exclusive);
    return "^(?:" + any + (below.empty() ? "" : "|-" + joined(below)) + ")$";
}

std::string most_pattern(const number_bound & bound, size_t n_whole) {
    const std::string any = "-(?:0|[1-9]" + repeated("[0-9]", 0, n_whole - 1) + ")" + any_fraction;
    if (bound.at.negative) {
        return "^-" + joined(from(bound.at, bound.exclusive, n_whole)) + "$";
    }
    const std::vector<std::string> above = up_to(bound.at, bound.exclusive);
    return "^(?:" + any + (above.empty() ? "" : "|" + joined(above)) + ")$";
}

// What is left of the digits so far, and how many of them stand behind the point.
std::optional<char_machine> multiples_machine(const decimal & of) {
    const auto n_behind = static_cast<int64_t>(of.fraction.size());
    const std::string scaled = of.whole == "0" ? of.fraction : of.whole + of.fraction;
    if (scaled.size() > 15) {
        return std::nullopt;
    }
    const int64_t base = std::atoll(scaled.c_str());
    if (base <= 0 || base * (n_behind + 2) > most_remainders) {
        return std::nullopt;
    }
    int64_t power = 1;
    for (int64_t i = 0; i < n_behind; ++i) {
        power = power * 10 % base;
    }
    // (phase, rest): phase -2 the start, -1 before the point, else digits behind it; n_behind + 1: only
    // zeros.
    using key = std::pair<int64_t, int64_t>;
    std::map<key, int> ids = {{{-2, 0}, 0}};
    std::vector<key> keys = {{-2, 0}};
    std::vector<char_machine::state> made;
    for (size_t i = 0; i < keys.size(); ++i) {
        const auto [phase, rest] = keys[i];
        char_machine::state s;
        const auto go = [&](char c, key to) {
            const auto [found, added] = ids.emplace(to, static_cast<int>(keys.size()));
            const int id = found->second;
            if (added) {
                keys.push_back(to);
            }
            const auto code = static_cast<uint32_t>(c);
            s.arcs.push_back({{code, code}, id});
        };
        int64_t ahead = 1;  // what a digit here counts in the end
        for (int64_t n = std::max<int64_t>(phase, 0); n < n_behind; ++n) {
            ahead = ahead * 10 % base;
        }
        s.ends = phase != -2 && rest * (phase < 0 ? power : ahead) % base == 0;
        if (phase == -2) {
            go('-', {-1, 0});
        } else if (phase == -1) {
            go('.', {0, rest});
        }
        for (int64_t d = 0; d <= 9; ++d) {
            const char c = static_cast<char>('0' + d);
            if (phase < 0) {
                go(c, {-1, (rest * 10 + d) % base});
            } else if (phase < n_behind) {
                go(c, {phase + 1, (rest * 10 + d) % base});
            } else if (d == 0) {
                go(c, {n_behind, rest});
            }
        }
        made.push_back(std::move(s));
    }
    return char_machine(std::move(made)).trimmed();
}

int compare_magnitude(const decimal & a, const decimal & b) {
    if (a.whole.size() != b.whole.size()) {
        return a.whole.size() < b.whole.size() ? -1 : 1;
    }
    const int order = a.whole.compare(b.whole);
    return order != 0 ? order : a.fraction.compare(b.fraction);
}

}  // namespace

std::optional<decimal> read_decimal(std::string_view text) {
    decimal made;
    size_t at = 0;
    if (at < text.size() && text[at] == '-') {
        made.negative = true;
        ++at;
    }
    std::string all;
    int64_t point = -1;
    for (; at < text.size() && (text[at] == '.' || (text[at] >= '0' && text[at] <= '9')); ++at) {
        if (text[at] == '.') {
            point = static_cast<int64_t>(all.size());
        } else {
            all += text[at];
        }
    }
    point = point < 0 ? static_cast<int64_t>(all.size()) : point;
    if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
        const std::string exponent(text.substr(at + 1, 8));
        point += std::strtol(exponent.c_str(), nullptr, 10);
    } else if (at < text.size() || all.empty()) {
        return std::nullopt;
    }
    if (all.find_first_not_of('0') == std::string::npos) {
        return decimal();
    }
    constexpr auto most = static_cast<int64_t>(most_digits);
    if (point < -most || point > 2 * most || static_cast<int64_t>(all.size()) > 4 * most) {
        return std::nullopt;
    }
    if (point < 0) {
        all.insert(0, static_cast<size_t>(-point), '0');
        point = 0;
    }
    if (point > static_cast<int64_t>(all.size())) {
        all.append(static_cast<size_t>(point) - all.size(), '0');
    }
    const std::string whole = all.substr(0, static_cast<size_t>(point));
    const size_t first = whole.find_first_not_of('0');
    made.whole = first == std::string::npos ? "0" : whole.substr(first);
    made.fraction = all.substr(static_cast<size_t>(point));
    made.fraction.erase(made.fraction.find_last_not_of('0') + 1);
    if (made.whole.size() > most_digits || made.fraction.size() > most_digits) {
        return std::nullopt;
    }
    return made;
}

int compare(const decimal & a, const decimal & b) {
    const bool below = a.negative && !a.is_zero();
    const bool other_below = b.negative && !b.is_zero();
    if (below != other_below) {
        return below ? -1 : 1;
    }
    return below ? compare_magnitude(b, a) : compare_magnitude(a, b);
}

bool number_range::holds(const decimal & value) const {
    if (integers && !value.is_integer()) {
        return false;
    }
    if (least && (compare(value, least->at) < 0 || (least->exclusive && compare(value, least->at) == 0))) {
        return false;
    }
    if (most && (compare(value, most->at) > 0 || (most->exclusive && compare(value, most->at) == 0))) {
        return false;
    }
    const std::string text = value.whole + (value.fraction.empty() ? "" : "." + value.fraction);
    return std::all_of(multiples_of.begin(), multiples_of.end(), [&](const decimal & of) {
        const std::optional<char_machine> machine = multiples_machine(of);
        return !machine || machine->accepts(text);
    });
}

std::optional<char_machine> number_machine(const number_range & range) {
    size_t n_whole = usual_digits;
    for (const auto & bound : {range.least, range.most}) {
        n_whole = bound ? std::max(n_whole, bound->at.whole.size() + 1) : n_whole;
    }
    const std::string whole = "[1-9]" + repeated("[0-9]", 0, n_whole - 1);
    const std::string base = range.integers
                                 ? "^(?:0|-?" + whole + ")$"
                                 : "^(?:0|-?" + whole + "|-?" + whole +
                                       "\\.[0-9]{1,16}|0\\.[0-9]{1,16}|-0\\.0{0,15}[1-9][0-9]{0,15})$";
    std::optional<char_machine> made = pattern_machine(base);
    if (range.least) {
        made = made->both(pattern_machine(least_pattern(*range.least, n_whole)));
    }
    if (made && range.most) {
        made = made->both(pattern_machine(most_pattern(*range.most, n_whole)));
    }
    for (const decimal & of : range.multiples_of) {
        const std::optional<char_machine> multiples = made ? multiples_machine(of) : std::nullopt;
        made = multiples ? made->both(*multiples) : std::nullopt;
    }
    return made;
}

}  // namespace jan
