// A grammar compiled to nodes and edges over bytes, one small machine per rule that calls the
// others. What runs it, and remembers where it is, is grammar_automaton.
#pragma once

#include "constraint/grammar.h"

#include <array>
#include <cstdint>
#include <vector>

namespace jan {

struct grammar_edge {
    enum class kind : uint8_t {
        bytes,        // a byte in [first, last]
        one_token,    // the token `what`
        other_token,  // any token but `what`
        call,         // the rule that starts at node `what`, and then on at `to`
        skip,         // nothing
    };
    kind is;
    uint8_t first;
    uint8_t last;
    int32_t what;
    int32_t to;
};

// Immutable.
class grammar_program {
  public:
    // Throws invalid_argument for a rule that begins with itself, and for too many nodes.
    grammar_program(const grammar & source, const grammar_limits & limits);

    struct edges {
        const grammar_edge * first;
        const grammar_edge * last;
        const grammar_edge * begin() const { return first; }
        const grammar_edge * end() const { return last; }
    };

    int start() const { return start_; }
    int n_nodes() const { return static_cast<int>(ends_.size()); }
    edges from(int node) const {
        const auto i = static_cast<size_t>(node);
        return {edges_.data() + begins_[i], edges_.data() + begins_[i + 1]};
    }
    bool ends_rule(int node) const { return ends_[static_cast<size_t>(node)] & 1; }
    // Nothing lies behind it but the rule's end: whoever comes back there need not be remembered.
    bool only_ends(int node) const { return ends_[static_cast<size_t>(node)] & 2; }

    bool has_tokens() const { return has_tokens_; }

    // Bytes that no edge tells apart are of one class.
    int n_classes() const { return n_classes_; }
    int class_of(uint8_t byte) const { return class_of_[byte]; }
    uint8_t byte_of(int cls) const { return byte_of_[static_cast<size_t>(cls)]; }

    size_t n_bytes() const;  // of memory

  private:
    friend class grammar_compiler;

    int start_ = 0;
    int n_classes_ = 0;
    bool has_tokens_ = false;
    std::array<uint8_t, 256> class_of_{};
    std::vector<uint8_t> byte_of_;
    std::vector<uint8_t> ends_;
    std::vector<uint32_t> begins_;
    std::vector<grammar_edge> edges_;
};

}  // namespace jan
