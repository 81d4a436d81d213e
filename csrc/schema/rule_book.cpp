#include "schema/rule_book.h"

#include <algorithm>
#include <cstdio>
#include <utility>

namespace jan {

namespace {

std::string escaped(uint32_t c) {
    char text[16];
    if (c > 0xFFFF) {
        std::snprintf(text, sizeof(text), "\\U%08X", c);
    } else if (c > 0x7E || c < 0x20) {
        std::snprintf(text, sizeof(text), c > 0xFF ? "\\u%04X" : "\\x%02X", c);
    } else if (c == '\\' || c == ']' || c == '[' || c == '^' || c == '-' || c == '"') {
        std::snprintf(text, sizeof(text), "\\x%02X", c);
    } else {
        return std::string(1, static_cast<char>(c));
    }
    return text;
}

void add_class(uint32_t first, uint32_t last, std::string & to) {
    if (first <= last) {
        to += first == last ? escaped(first) : escaped(first) + "-" + escaped(last);
    }
}

// The characters of a range that a JSON string has as they are, and those that it escapes.
void split(char_range on, std::string & plain, std::string & short_escapes, bool & controls) {
    const auto has = [&](uint32_t c) { return on.first <= c && c <= on.last; };
    for (const auto & [c, letter] : {std::pair<uint32_t, const char *>{'"', "\\x22"},
                                     {'\\', "\\x5C"},
                                     {'\b', "b"},
                                     {'\f', "f"},
                                     {'\n', "n"},
                                     {'\r', "r"},
                                     {'\t', "t"}}) {
        if (has(c)) {
            short_escapes += letter;
        }
    }
    controls = controls || (has(0) && has(0x1F));
    uint32_t first = std::max<uint32_t>(on.first, 0x20);
    for (const uint32_t out : {0x22u, 0x5Cu}) {
        if (first <= out && has(out)) {
            if (out > first) {
                add_class(first, out - 1, plain);
            }
            first = out + 1;
        }
    }
    add_class(first, on.last, plain);
}

}  // namespace

std::string gbnf_text(const std::string & text) {
    std::string made = "\"";
    for (const char c : text) {
        const auto code = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            made += '\\';
            made += c;
        } else if (code < 0x20) {
            made += escaped(code);
        } else {
            made += c;
        }
    }
    return made + "\"";
}

int rule_book::add_machine(const char_machine & machine, const std::string & closing, bool in_json) {
    const std::vector<char_machine::state> & states = machine.states();
    const int first = static_cast<int>(rules_.size());
    for (size_t i = 0; i < std::max<size_t>(states.size(), 1); ++i) {
        add();
    }
    for (size_t i = 0; i < states.size(); ++i) {
        const int rule = first + static_cast<int>(i);
        if (in_json && machine.takes_all(i)) {
            add(rule, {{"jan-char* " + closing}});
            continue;
        }
        // The ways to one other state together: their characters in one set.
        std::vector<std::pair<int, std::string>> plain;
        for (size_t a = 0; a < states[i].arcs.size(); ++a) {
            const int to = states[i].arcs[a].to;
            bool seen = false;
            for (size_t b = 0; b < a; ++b) {
                seen = seen || states[i].arcs[b].to == to;
            }
            if (seen) {
                continue;
            }
            std::string chars;
            std::string escapes;
            bool controls = false;
            for (size_t b = a; b < states[i].arcs.size(); ++b) {
                if (states[i].arcs[b].to != to) {
                    continue;
                }
                if (in_json) {
                    split(states[i].arcs[b].on, chars, escapes, controls);
                } else {
                    add_class(states[i].arcs[b].on.first, states[i].arcs[b].on.last, chars);
                }
            }
            if (!chars.empty()) {
                add(rule, {{"[" + chars + "] ", first + to, ""}});
            }
            if (!escapes.empty()) {
                add(rule, {{"[\\x5C] [" + escapes + "] ", first + to, ""}});
            }
            if (controls) {
                add(rule, {{"[\\x5C] \"u00\" [01] [0-9a-f] ", first + to, ""}});
            }
        }
        if (states[i].ends) {
            add(rule, {{closing.empty() ? "\"\"" : closing}});
        }
    }
    return first;
}

size_t rule_book::n_bytes() const {
    size_t n = 0;
    for (const auto & rule : rules_) {
        for (const alternative & one : rule) {
            for (const part & p : one) {
                n += p.before.size() + p.after.size() + 8;
            }
        }
    }
    return n;
}

// Rules that come to a text, found from those that need no other.
std::vector<bool> rule_book::productive() const {
    struct waiting {
        size_t rule;
        size_t n_needed;
    };
    std::vector<waiting> alternatives;
    std::vector<std::vector<size_t>> needed_by(rules_.size());
    std::vector<bool> found(rules_.size());
    std::vector<size_t> open;
    const auto find = [&](size_t rule) {
        if (!found[rule]) {
            found[rule] = true;
            open.push_back(rule);
        }
    };
    for (size_t i = 0; i < rules_.size(); ++i) {
        for (const alternative & one : rules_[i]) {
            size_t n = 0;
            for (const part & p : one) {
                if (p.rule >= 0 && !p.optional) {
                    needed_by[static_cast<size_t>(p.rule)].push_back(alternatives.size());
                    ++n;
                }
            }
            alternatives.push_back({i, n});
            if (n == 0) {
                find(i);
            }
        }
    }
    while (!open.empty()) {
        const size_t rule = open.back();
        open.pop_back();
        for (const size_t at : needed_by[rule]) {
            if (--alternatives[at].n_needed == 0) {
                find(alternatives[at].rule);
            }
        }
    }
    return found;
}

std::string rule_book::text(int root) const {
    const std::vector<bool> good = productive();
    if (!good[static_cast<size_t>(root)]) {
        return "";
    }
    std::vector<bool> needed(rules_.size());
    std::vector<int> open = {root};
    needed[static_cast<size_t>(root)] = true;
    std::string made;
    while (!open.empty()) {
        const auto rule = static_cast<size_t>(open.back());
        open.pop_back();
        made += name(static_cast<int>(rule)) + " ::= ";
        bool first = true;
        for (const alternative & one : rules_[rule]) {
            std::string line;
            bool all = true;
            std::vector<int> uses;
            for (const part & p : one) {
                const bool lacks = p.rule >= 0 && !good[static_cast<size_t>(p.rule)];
                all = all && (!lacks || p.optional);
                if (lacks) {
                    continue;
                }
                line += p.before;
                if (p.rule >= 0) {
                    line += name(p.rule) + p.after;
                    uses.push_back(p.rule);
                }
                line += ' ';
            }
            if (!all) {
                continue;
            }
            made += first ? line : "| " + line;
            first = false;
            for (const int use : uses) {
                if (!needed[static_cast<size_t>(use)]) {
                    needed[static_cast<size_t>(use)] = true;
                    open.push_back(use);
                }
            }
        }
        made += '\n';
    }
    return made;
}

const std::string & common_json_rules() {
    static const std::string rules =
        "space ::= | \" \" | \"\\n\"{1,2} [ \\t]{0,20}\n"
        "jan-char ::= [^\"\\\\\\x7F\\x00-\\x1F] | [\\\\] ([\"\\\\bfnrt] | \"u\" jan-unit)\n"
        // No half of a pair: other programs refuse one without its other half.
        "jan-unit ::= [0-9a-cA-Ce-fE-F] [0-9a-fA-F]{3} | [dD] [0-7] [0-9a-fA-F]{2}\n"
        "jan-string ::= \"\\\"\" jan-char* \"\\\"\"\n"
        "jan-whole ::= [0] | [1-9] [0-9]{0,15}\n"
        "jan-integer ::= \"-\"? jan-whole\n"
        "jan-number ::= \"-\"? jan-whole (\".\" [0-9]{1,16})? ([eE] [-+]? [0-9]{1,2})?\n"
        "jan-value ::= jan-object | jan-array | jan-string | jan-number | \"true\" | \"false\" | \"null\"\n"
        "jan-object ::= \"{\" space ( jan-string \":\" space jan-value (\",\" space jan-string \":\" space "
        "jan-value)* )? space \"}\"\n"
        "jan-array ::= \"[\" space ( jan-value (\",\" space jan-value)* )? space \"]\"\n";
    return rules;
}

}  // namespace jan
