#include "constraint/grammar_program.h"

#include "constraint/left_recursion.h"
#include "error.h"

#include <algorithm>
#include <string>
#include <utility>

namespace jan {

namespace {

using item_kind = grammar_item::kind;

// More copies of something larger than an edge are calls of a rule of its own.
constexpr int most_copies = 4;

}  // namespace

class grammar_compiler {
  public:
    grammar_compiler(const grammar & source, const grammar_limits & limits, grammar_program & into)
        : source_(source), limits_(limits), into_(into) {}

    void compile() {
        for (size_t i = 0; i < source_.rules.size(); ++i) {
            starts_.push_back(new_node());
        }
        for (size_t i = 0; i < source_.rules.size(); ++i) {
            const int end = new_end();
            for (const grammar_sequence & items : source_.rules[i].alternatives) {
                int at = starts_[i];
                for (const grammar_item & item : items) {
                    at = add_item(item, at);
                }
                skip(at, end);
            }
        }
        into_.start_ = starts_[static_cast<size_t>(source_.root)];
        sort_edges();
        find_pure_ends();
        find_classes();
    }

  private:
    struct raw_edge {
        int32_t from;
        grammar_edge edge;
    };

    int new_node() {
        if (static_cast<int>(into_.ends_.size()) >= limits_.n_nodes) {
            throw error(errc::invalid_argument,
                        "grammar: compiled, it has more than " + std::to_string(limits_.n_nodes) + " nodes");
        }
        into_.ends_.push_back(0);
        return static_cast<int>(into_.ends_.size()) - 1;
    }

    int new_end() {
        const int node = new_node();
        into_.ends_.back() = 1;
        return node;
    }

    void add(int from, grammar_edge edge) { raw_.push_back({from, edge}); }
    void skip(int from, int to) { add(from, {grammar_edge::kind::skip, 0, 0, 0, to}); }

    void bytes(int from, uint32_t first, uint32_t last, int to) {
        add(from,
            {grammar_edge::kind::bytes, static_cast<uint8_t>(first), static_cast<uint8_t>(last), 0, to});
    }

    // The node behind the item, which begins at `at`.
    int add_item(const grammar_item & item, int at) {
        const bool large = item.what == item_kind::text ? item.text.size() > 1
                           : item.what == item_kind::chars
                               ? !item.chars.empty() && item.chars.back().last >= 0x80
                               : false;
        const int n_copies = std::max(item.least, item.most);
        int called = item.what == item_kind::rule ? starts_[static_cast<size_t>(item.rule)] : -1;
        if (large && n_copies > most_copies) {
            called = new_node();
            add_once(item, -1, called, new_end());
        }
        const auto once = [&](int from) {
            const int to = new_node();
            add_once(item, called, from, to);
            return to;
        };
        for (int i = 0; i < item.least; ++i) {
            at = once(at);
        }
        if (item.most == without_end) {
            const int loop = new_node();
            skip(at, loop);
            skip(once(loop), loop);
            return loop;
        }
        if (item.most <= item.least) {
            return at;
        }
        const int end = new_node();
        for (int i = item.least; i < item.most; ++i) {
            skip(at, end);
            at = once(at);
        }
        skip(at, end);
        return end;
    }

    void add_once(const grammar_item & item, int called, int from, int to) {
        if (called >= 0) {
            add(from, {grammar_edge::kind::call, 0, 0, called, to});
            return;
        }
        switch (item.what) {
            case item_kind::text: add_text(item.text, from, to); break;
            case item_kind::chars: add_chars(item.chars, from, to); break;
            case item_kind::one_token: add(from, {grammar_edge::kind::one_token, 0, 0, item.id, to}); break;
            case item_kind::other_token:
                add(from, {grammar_edge::kind::other_token, 0, 0, item.id, to});
                break;
            case item_kind::rule: break;  // called
        }
    }

    void add_text(const std::string & text, int from, int to) {
        if (text.empty()) {
            skip(from, to);
            return;
        }
        for (size_t i = 0; i < text.size(); ++i) {
            const int next = i + 1 == text.size() ? to : new_node();
            const auto byte = static_cast<uint8_t>(text[i]);
            bytes(from, byte, byte, next);
            from = next;
        }
    }

    void add_chars(const std::vector<char_range> & chars, int from, int to) {
        tails_[0] = to;
        tails_[1] = tails_[2] = tails_[3] = -1;
        constexpr uint32_t lasts[] = {0x7F, 0x7FF, 0xFFFF, 0x10FFFF};
        for (const char_range & r : chars) {
            uint32_t first = r.first;
            for (int n_more = 0; n_more < 4 && first <= r.last; ++n_more) {
                const uint32_t last = std::min(r.last, lasts[n_more]);
                if (first <= last) {
                    add_range(first, last, n_more, true, from);
                    first = last + 1;
                }
            }
        }
    }

    // Code points whose bytes are equally many, `n_more` after this one.
    void add_range(uint32_t first, uint32_t last, int n_more, bool leading, int from) {
        const int shift = 6 * n_more;
        constexpr uint32_t marks[] = {0, 0xC0, 0xE0, 0xF0};
        const uint32_t mark = leading ? marks[n_more] : 0x80;
        const uint32_t low = (1u << shift) - 1;
        uint32_t high_first = first >> shift;
        uint32_t high_last = last >> shift;
        if (n_more == 0) {
            bytes(from, mark | first, mark | last, tails_[0]);
            return;
        }
        const auto partial = [&](uint32_t high, uint32_t low_first, uint32_t low_last) {
            const int next = new_node();
            bytes(from, mark | high, mark | high, next);
            add_range(low_first, low_last, n_more - 1, false, next);
        };
        if (high_first == high_last) {
            if ((first & low) == 0 && (last & low) == low) {
                bytes(from, mark | high_first, mark | high_last, tail(n_more));
            } else {
                partial(high_first, first & low, last & low);
            }
            return;
        }
        if ((first & low) != 0) {
            partial(high_first++, first & low, low);
        }
        if ((last & low) != low) {
            partial(high_last--, 0, last & low);
        }
        if (high_first <= high_last) {
            bytes(from, mark | high_first, mark | high_last, tail(n_more));
        }
    }

    // From where `n_more` continuation bytes, whichever, lead to the end of the characters.
    int tail(int n_more) {
        int & node = tails_[n_more];
        if (node < 0) {
            node = new_node();
            bytes(node, 0x80, 0xBF, tail(n_more - 1));
        }
        return node;
    }

    void sort_edges() {
        std::vector<uint32_t> & begins = into_.begins_;
        begins.assign(into_.ends_.size() + 1, 0);
        for (const raw_edge & e : raw_) {
            ++begins[static_cast<size_t>(e.from) + 1];
        }
        for (size_t i = 1; i < begins.size(); ++i) {
            begins[i] += begins[i - 1];
        }
        std::vector<uint32_t> next(begins.begin(), begins.end() - 1);
        into_.edges_.resize(raw_.size());
        for (const raw_edge & e : raw_) {
            into_.edges_[next[static_cast<size_t>(e.from)]++] = e.edge;
        }
    }

    // Backwards from the ends: a node all of whose edges are skips to pure ends is one.
    void find_pure_ends() {
        std::vector<uint8_t> & ends = into_.ends_;
        std::vector<int> n_left(ends.size());
        std::vector<std::pair<int, int>> skips;  // to, from
        std::vector<int> found;
        for (int node = 0; node < into_.n_nodes(); ++node) {
            const grammar_program::edges edges = into_.from(node);
            n_left[static_cast<size_t>(node)] = static_cast<int>(edges.last - edges.first);
            for (const grammar_edge & e : edges) {
                if (e.is == grammar_edge::kind::skip) {
                    skips.emplace_back(e.to, node);
                }
            }
            if (into_.ends_rule(node) && edges.first == edges.last) {
                found.push_back(node);
            }
        }
        std::sort(skips.begin(), skips.end());
        while (!found.empty()) {
            const int node = found.back();
            found.pop_back();
            ends[static_cast<size_t>(node)] |= 2;
            auto at = std::lower_bound(skips.begin(), skips.end(), std::make_pair(node, 0));
            for (; at != skips.end() && at->first == node; ++at) {
                if (--n_left[static_cast<size_t>(at->second)] == 0) {
                    found.push_back(at->second);
                }
            }
        }
    }

    void find_classes() {
        std::array<bool, 257> begins{};
        for (const grammar_edge & e : into_.edges_) {
            if (e.is == grammar_edge::kind::bytes) {
                begins[e.first] = true;
                begins[static_cast<size_t>(e.last) + 1] = true;
            }
            into_.has_tokens_ = into_.has_tokens_ || e.is == grammar_edge::kind::one_token ||
                                e.is == grammar_edge::kind::other_token;
        }
        begins[0] = true;
        for (int byte = 0; byte < 256; ++byte) {
            if (begins[static_cast<size_t>(byte)]) {
                into_.byte_of_.push_back(static_cast<uint8_t>(byte));
            }
            into_.class_of_[static_cast<size_t>(byte)] = static_cast<uint8_t>(into_.byte_of_.size() - 1);
        }
        into_.n_classes_ = static_cast<int>(into_.byte_of_.size());
    }

    const grammar & source_;
    const grammar_limits & limits_;
    grammar_program & into_;
    std::vector<int> starts_;
    std::vector<raw_edge> raw_;
    int tails_[4] = {-1, -1, -1, -1};
};

grammar_program::grammar_program(const grammar & source, const grammar_limits & limits) {
    const int recursive = left_recursive_rule(source);
    if (recursive >= 0) {
        const std::string & name = source.rules[static_cast<size_t>(recursive)].name;
        throw error(errc::invalid_argument,
                    "grammar: " + (name.empty() ? std::string("a group") : "rule " + name) +
                        " begins with itself, so it would never get to anything else");
    }
    grammar_compiler(source, limits, *this).compile();
}

size_t grammar_program::n_bytes() const {
    return edges_.size() * sizeof(grammar_edge) + begins_.size() * sizeof(uint32_t) + ends_.size();
}

}  // namespace jan
