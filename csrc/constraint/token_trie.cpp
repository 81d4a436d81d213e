#include "constraint/token_trie.h"

#include <algorithm>
#include <string_view>

namespace jan {

token_trie::token_trie(const piece_table & pieces) : n_vocab_(pieces.n_tokens()) {
    for (token id = 0; id < n_vocab_; ++id) {
        if (pieces.ends_generation(id)) {
            end_of_generation_.push_back(id);
        } else if (!pieces.bytes(id).empty()) {
            tokens_.push_back(id);
        }
    }
    std::sort(tokens_.begin(), tokens_.end(), [&](token a, token b) {
        const int order = pieces.bytes(a).compare(pieces.bytes(b));
        return order != 0 ? order < 0 : a < b;
    });
    std::vector<uint32_t> path;  // nodes from the root to the last one
    std::string_view before;
    const auto leave = [&](size_t depth) {
        while (path.size() > depth) {
            nodes_[path.back()].end = static_cast<uint32_t>(nodes_.size());
            path.pop_back();
        }
    };
    for (uint32_t i = 0; i < tokens_.size(); ++i) {
        const std::string_view bytes = pieces.bytes(tokens_[i]);
        const size_t n = std::min(before.size(), bytes.size());
        const auto shared = static_cast<size_t>(
            std::mismatch(before.begin(), before.begin() + static_cast<std::ptrdiff_t>(n), bytes.begin())
                .first -
            before.begin());
        leave(shared);
        for (size_t depth = shared; depth < bytes.size(); ++depth) {
            path.push_back(static_cast<uint32_t>(nodes_.size()));
            nodes_.push_back({static_cast<uint8_t>(bytes[depth]), static_cast<uint32_t>(depth + 1), 0, i, 0});
        }
        ++nodes_[path.back()].n_tokens;
        depth_ = std::max(depth_, static_cast<uint32_t>(bytes.size()));
        before = bytes;
    }
    leave(0);
}

}  // namespace jan
