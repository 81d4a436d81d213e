#include "engine_stats.h"

#include <algorithm>
#include <cmath>

namespace jan {

void histogram::add(double value) {
    int i = 0;
    if (value > first_) {
        i = std::min(n_buckets - 1, static_cast<int>(std::ceil(std::log2(value / first_))));
    }
    counts_[static_cast<size_t>(i)].fetch_add(1, std::memory_order_relaxed);
    sum_.store(sum_.load(std::memory_order_relaxed) + value, std::memory_order_relaxed);  // one writer
}

histogram::snapshot histogram::read() const {
    snapshot s;
    for (int i = 0; i < n_buckets; ++i) {
        if (i + 1 < n_buckets) {
            s.limits.push_back(std::ldexp(first_, i));
        }
        s.counts.push_back(counts_[static_cast<size_t>(i)].load(std::memory_order_relaxed));
    }
    s.sum = sum_.load(std::memory_order_relaxed);
    return s;
}

void step_trace::add(const entry & e) {
    const uint64_t n = n_.load(std::memory_order_relaxed);
    slot & s = slots_[n % size];
    s.turn.store(2 * n + 1);
    s.start_s.store(e.start_s);
    s.forward_s.store(e.forward_s);
    s.end_s.store(e.end_s);
    s.n_decode.store(e.n_decode);
    s.n_prefill.store(e.n_prefill);
    s.n_passes.store(e.n_passes);
    s.n_waiting.store(e.n_waiting);
    s.turn.store(2 * n + 2);
    n_.store(n + 1);
}

std::vector<step_trace::entry> step_trace::read() const {
    std::vector<entry> found;
    const uint64_t n = n_.load();
    for (uint64_t i = n > size ? n - size : 0; i < n; ++i) {
        const slot & s = slots_[i % size];
        const entry e{s.start_s.load(),   s.forward_s.load(), s.end_s.load(),    s.n_decode.load(),
                      s.n_prefill.load(), s.n_passes.load(),  s.n_waiting.load()};
        if (s.turn.load() == 2 * i + 2) {  // else it was overwritten meanwhile
            found.push_back(e);
        }
    }
    return found;
}

}  // namespace jan
