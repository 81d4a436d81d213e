// The bytes of every token in one block of memory: turning a token into text is a copy.
#pragma once

#include "token.h"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace jan {

// Immutable once filled, so any thread may read it.
class piece_table {
  public:
    // `special`: how a token is written that is not shown.
    void add(std::string_view bytes, bool ends_generation, std::string_view special = {}) {
        if (bytes.empty() && !special.empty()) {
            special_.emplace(n_tokens(), special);
        }
        starts_.push_back(static_cast<uint32_t>(bytes_.size()));
        bytes_.append(bytes);
        ends_generation_.push_back(ends_generation ? 1 : 0);
    }

    int n_tokens() const { return static_cast<int>(starts_.size()); }

    std::string_view bytes(token id) const {
        const size_t i = static_cast<size_t>(id);
        const size_t end = i + 1 < starts_.size() ? starts_[i + 1] : bytes_.size();
        return std::string_view(bytes_).substr(starts_[i], end - starts_[i]);
    }

    // As it is written where it is not shown, else its bytes.
    std::string_view special(token id) const {
        const auto found = special_.find(id);
        return found == special_.end() ? bytes(id) : std::string_view(found->second);
    }

    // The token that is written so, -1 when there is none. Looks at all of them.
    token find_special(std::string_view text) const {
        for (const auto & [id, written] : special_) {
            if (written == text) {
                return id;
            }
        }
        for (token id = 0; id < n_tokens(); ++id) {
            if (bytes(id) == text) {
                return id;
            }
        }
        return -1;
    }

    bool ends_generation(token id) const { return ends_generation_[static_cast<size_t>(id)] != 0; }

  private:
    std::string bytes_;
    std::vector<uint32_t> starts_;
    std::vector<uint8_t> ends_generation_;
    std::map<token, std::string> special_;
};

}  // namespace jan
