// What the engine has done so far: written by its thread, read by any, without a lock.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

namespace jan {

// Counts in buckets that double: bucket i holds values up to first * 2^i, the last all others.
class histogram {
  public:
    static constexpr int n_buckets = 24;

    explicit histogram(double first) : first_(first) {}
    void add(double value);

    struct snapshot {
        std::vector<double> limits;  // one less than counts
        std::vector<uint64_t> counts;
        double sum;
    };
    snapshot read() const;

  private:
    double first_;
    std::array<std::atomic<uint64_t>, n_buckets> counts_{};
    std::atomic<double> sum_{0};
};

struct engine_stats {
    using counter = std::atomic<uint64_t>;

    // Since the start.
    counter n_submitted{0}, n_finished{0}, n_cancelled{0}, n_failed{0};
    counter n_steps{0}, n_passes{0}, n_parked{0}, n_shifted{0}, n_moved{0}, n_failed_passes{0};
    counter n_prompt_tokens{0}, n_cached_tokens{0}, n_prefill_rows{0}, n_decode_rows{0};
    counter n_drafted{0}, n_accepted{0};
    std::atomic<double> forward_s{0};  // inside the forward pass
    std::atomic<double> busy_s{0};     // in steps, the forward pass included

    // Threads that computed the last pass of decoding streams alone, and the last one with rows of a prompt;
    // 0 before the first, and where none compute.
    std::atomic<int> n_decode_workers{0}, n_prefill_workers{0};

    // Now.
    std::atomic<int> n_waiting{0}, n_running{0};
    std::atomic<int64_t> n_cells_used{0};     // caches included
    std::atomic<int64_t> n_cells_running{0};  // that no idle cache could give back
    std::atomic<double> heartbeat_s{0};       // when the engine's thread last came by, on its clock

    // Seconds, but for the last two.
    histogram queue{1e-5}, prefill{1e-4}, first_token{1e-4}, token_gap{1e-5}, step{1e-5};
    histogram rows_per_step{1}, prefill_rows_per_step{1};
};

// The last steps, for a look at where the time went. Overwrites its oldest.
class step_trace {
  public:
    struct entry {
        double start_s, forward_s, end_s;  // begin of step, seconds in forward passes, end of step
        int n_decode, n_prefill, n_passes, n_waiting;
    };

    void add(const entry & e);
    std::vector<entry> read() const;

  private:
    static constexpr uint64_t size = 4096;
    struct slot {
        std::atomic<uint64_t> turn{0};  // odd while it is written
        std::atomic<double> start_s, forward_s, end_s;
        std::atomic<int> n_decode, n_prefill, n_passes, n_waiting;
    };
    std::array<slot, size> slots_;
    std::atomic<uint64_t> n_{0};
};

}  // namespace jan
