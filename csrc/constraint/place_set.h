// A set of places that is emptied in no time, for sets that are made again and again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace jan {

struct place {
    int32_t node;
    int32_t frame;
};

class place_set {
  public:
    void clear() {
        ++round_;
        n_ = 0;
    }

    size_t size() const { return n_; }

    // False when it was there.
    bool add(place p) {
        if (2 * (n_ + 1) > slots_.size()) {
            grow();
        }
        slot & s = find(p);
        if (s.round == round_) {
            return false;
        }
        s = {p, round_};
        ++n_;
        return true;
    }

  private:
    struct slot {
        place at;
        uint64_t round;
    };

    slot & find(place p) {
        const uint64_t key =
            static_cast<uint64_t>(static_cast<uint32_t>(p.frame)) << 32 | static_cast<uint32_t>(p.node);
        size_t i = static_cast<size_t>(key * 0x9E3779B97F4A7C15u >> 20);
        for (;; ++i) {
            slot & s = slots_[i & (slots_.size() - 1)];
            if (s.round != round_ || (s.at.node == p.node && s.at.frame == p.frame)) {
                return s;
            }
        }
    }

    void grow() {
        std::vector<slot> old(slots_.empty() ? 64 : 2 * slots_.size());
        old.swap(slots_);
        for (const slot & s : old) {
            if (s.round == round_) {
                find(s.at) = s;
            }
        }
    }

    std::vector<slot> slots_;
    uint64_t round_ = 1;
    size_t n_ = 0;
};

}  // namespace jan
