// Which tokens' cells are in which lane of the KV cache, and who owns the lane. Bookkeeping
// only: it knows no model and moves no memory.
#pragma once

#include "token.h"

#include <cstdint>
#include <string>
#include <vector>

namespace jan {

enum class kv_mode : int {
    unified = 0,  // one pool of cells; lanes that share a prefix share its cells
    streams,      // a buffer of its own per lane; sharing a prefix means copying it
};

struct kv_shape {
    kv_mode mode = kv_mode::unified;
    int n_lanes = 1;
    int64_t n_cells = 0;       // of the whole cache
    int n_ctx = 0;             // most cells that one lane may hold
    bool can_truncate = true;  // false: a lane's end cannot be taken away (recurrent state)
    int n_window = 0;          // rows see so many tokens back in some layers; 0 = all in every layer
};

struct prefix_match {
    int lane = -1;  // -1: none
    int n_tokens = 0;
};

// For one thread. A lane is owned by a running sequence, or idle and perhaps still holding the
// cells of the last one.
class kv_ledger {
  public:
    explicit kv_ledger(const kv_shape & shape);

    const kv_shape & shape() const { return shape_; }
    uint64_t owner(int lane) const { return at(lane).owner; }
    bool idle(int lane) const { return at(lane).owner == 0; }
    int n_tokens(int lane) const { return static_cast<int>(at(lane).tokens.size()); }
    bool shares_cells(int lane) const;

    int64_t n_used() const { return n_used_; }        // cells that hold something
    int64_t n_free() const;                           // cells that a row may take now
    int64_t n_evictable(int except_lane = -1) const;  // cells that dropping every idle lane frees

    // The lane with the longest prefix of `tokens` that may be reused under `salt`, at most
    // `most` tokens of it. Of equals, an idle lane wins.
    prefix_match longest_prefix(const std::vector<token> & tokens, int most, const std::string & salt) const;

    // An idle lane to be given away: an empty one first, then the one unused for longest; -1
    // when every lane is owned.
    int idle_lane(int except_lane = -1) const;
    // The idle lane with cells that was unused for longest, or -1.
    int oldest_idle_lane(int except_lane = -1) const;

    // n_expected tokens will be held at most, as far as is known: memory for them is taken now.
    void claim(int lane, uint64_t owner, const std::string & salt, bool offers_prefix, int n_expected = 0);
    // The cells stay as a cache, unless the lane offers its prefix to nobody: then it is emptied
    // (true is returned, and the cells are to be removed).
    bool release(int lane);

    void append(int lane, const token * tokens, int n);
    void truncate(int lane, int n);
    // Lane `to` is emptied and gets the first n tokens of `from`.
    void copy(int from, int to, int n);
    void swap(int a, int b);
    // Prefixes shorter than n are not offered: cells of theirs are gone.
    void set_least(int lane, int n) { at(lane).n_least = n; }
    // Drops n tokens after the first n_keep. What follows was computed at other positions, so
    // only the first n_keep are offered from now on.
    void shift(int lane, int n_keep, int n);

    // Whether every count agrees with every other; if not, `why` says what does not.
    bool check_integrity(std::string & why) const;

  private:
    // A run of cells, referred to by every lane that has it.
    struct segment {
        int n_cells = 0;
        int n_lanes = 0;
    };

    struct content {
        uint64_t owner = 0;
        uint64_t last_used = 0;
        bool offers_prefix = false;
        int n_offered = 0;  // tokens at the front that may be reused
        int n_least = 0;    // but not fewer than these
        std::string salt;
        std::vector<token> tokens;
        std::vector<int> segments;
    };

    content & at(int i) { return lanes_[static_cast<size_t>(i)]; }
    const content & at(int i) const { return lanes_[static_cast<size_t>(i)]; }
    segment & segment_at(int i) { return segments_[static_cast<size_t>(i)]; }
    int new_segment(int n_cells, int n_lanes);
    void drop_reference(int index);
    void split(int index, int n);

    kv_shape shape_;
    std::vector<content> lanes_;
    std::vector<segment> segments_;
    std::vector<int> unused_segments_;
    int64_t n_used_ = 0;
    uint64_t clock_ = 0;
};

}  // namespace jan
