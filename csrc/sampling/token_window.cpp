#include "sampling/token_window.h"

#include <algorithm>
#include <cstdint>

namespace jan {

namespace {

size_t table_size(size_t n_distinct) {
    size_t size = 16;
    while (size < 2 * n_distinct + 2) {
        size *= 2;
    }
    return size;
}

size_t spread(token id) { return static_cast<size_t>(static_cast<uint32_t>(id) * 0x9E3779B1u) >> 7; }

}  // namespace

token_window::token_window(int n_last, int n_vocab) : n_last_(static_cast<size_t>(std::max(0, n_last))) {
    if (n_last_ > 0) {
        const size_t n_distinct = std::min(n_last_, static_cast<size_t>(std::max(0, n_vocab)));
        ring_.reserve(n_last_);
        distinct_.reserve(n_distinct + 1);
        table_.assign(table_size(n_distinct), -1);
    }
}

// Where the token is, or the empty place where it would be.
size_t token_window::place_of(token id) const {
    const size_t mask = table_.size() - 1;
    size_t place = spread(id) & mask;
    while (table_[place] >= 0 && distinct_[static_cast<size_t>(table_[place])].id != id) {
        place = (place + 1) & mask;
    }
    return place;
}

void token_window::add(token id) {
    if (n_last_ == 0) {
        return;
    }
    const size_t place = place_of(id);
    if (table_[place] >= 0) {
        ++distinct_[static_cast<size_t>(table_[place])].count;
    } else {
        table_[place] = static_cast<int>(distinct_.size());
        distinct_.push_back({id, 1});
    }
    if (ring_.size() < n_last_) {
        ring_.push_back(id);
        return;
    }
    remove(ring_[oldest_]);
    ring_[oldest_] = id;
    oldest_ = (oldest_ + 1) % n_last_;
}

int token_window::count(token id) const {
    if (n_last_ == 0) {
        return 0;
    }
    const int index = table_[place_of(id)];
    return index < 0 ? 0 : distinct_[static_cast<size_t>(index)].count;
}

void token_window::remove(token id) {
    size_t hole = place_of(id);
    const auto index = static_cast<size_t>(table_[hole]);
    if (--distinct_[index].count > 0) {
        return;
    }
    if (index + 1 != distinct_.size()) {
        table_[place_of(distinct_.back().id)] = static_cast<int>(index);
        distinct_[index] = distinct_.back();
    }
    // What could not stand at its own place because of this one moves up.
    const size_t mask = table_.size() - 1;
    for (size_t next = (hole + 1) & mask; table_[next] >= 0; next = (next + 1) & mask) {
        // The entry that was moved within distinct_ is still found by its index.
        const size_t home = spread(distinct_[static_cast<size_t>(table_[next])].id) & mask;
        if (((next - home) & mask) >= ((next - hole) & mask)) {
            table_[hole] = table_[next];
            hole = next;
        }
    }
    table_[hole] = -1;
    distinct_.pop_back();
}

}  // namespace jan
