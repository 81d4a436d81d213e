// The bytes of every token in one block of memory: turning a token into text is a copy.
#pragma once

#include "token.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace jan {

// Immutable once filled, so any thread may read it.
class piece_table {
  public:
    void add(std::string_view bytes, bool ends_generation) {
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

    bool ends_generation(token id) const { return ends_generation_[static_cast<size_t>(id)] != 0; }

  private:
    std::string bytes_;
    std::vector<uint32_t> starts_;
    std::vector<uint8_t> ends_generation_;
};

}  // namespace jan
