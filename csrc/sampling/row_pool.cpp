#include "sampling/row_pool.h"

#include <algorithm>
#include <chrono>
#include <system_error>

namespace jan {

namespace {

constexpr uint64_t max_sharing = 1 << 16;  // threads; a round is counted in multiples of it

// A step's rows come together with the next step's at the earliest after a forward pass, so
// threads wait only as long as it takes the caller to come back for the rest of a step.
constexpr auto spin_for = std::chrono::microseconds(50);

void pause() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

}  // namespace

row_pool::row_pool(int n_threads) {
    threads_.reserve(static_cast<size_t>(std::max(0, n_threads - 1)));
    try {
        for (int worker = 1; worker < std::min(n_threads, static_cast<int>(max_sharing)); ++worker) {
            threads_.emplace_back([this, worker] { serve(worker); });
        }
    } catch (const std::system_error &) {
        // The system has no more threads for us: those there are do the work.
    }
}

row_pool::~row_pool() {
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        stop_ = true;
    }
    there_is_work_.notify_all();
    for (std::thread & t : threads_) {
        t.join();
    }
}

void row_pool::run(int n_rows, const std::function<void(int, int)> & work, int most) {
    work_ = &work;
    n_rows_ = n_rows;
    n_sharing_ = std::max(1, std::min({n_rows, n_threads(), most}));
    if (n_sharing_ > 1) {
        n_busy_ = n_sharing_ - 1;
        round_.store((round_.load() / max_sharing + 1) * max_sharing + static_cast<uint64_t>(n_sharing_));
        if (n_asleep_ > 0) {
            {
                const std::lock_guard<std::mutex> lock(mutex_);
            }
            there_is_work_.notify_all();
        }
    }
    do_share(0);
    if (n_sharing_ > 1) {
        const auto give_way = std::chrono::steady_clock::now() + spin_for;
        while (n_busy_.load(std::memory_order_acquire) > 0) {
            pause();
            if (std::chrono::steady_clock::now() > give_way) {
                std::this_thread::yield();  // more threads than processors
            }
        }
    }
    std::exception_ptr failure;
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        std::swap(failure, failure_);
    }
    if (failure) {
        std::rethrow_exception(failure);
    }
}

void row_pool::do_share(int worker) noexcept {
    const auto share = [&](int i) {
        return static_cast<int>(static_cast<int64_t>(n_rows_) * i / n_sharing_);
    };
    try {
        for (int row = share(worker); row < share(worker + 1); ++row) {
            (*work_)(row, worker);
        }
    } catch (...) {
        const std::lock_guard<std::mutex> lock(mutex_);
        failure_ = failure_ ? failure_ : std::current_exception();
    }
}

void row_pool::serve(int worker) {
    for (uint64_t done = 0; wait_for_work(done);) {
        done = round_.load();
        // Without a share run() does not wait for this thread: nothing else may be looked at.
        if (worker < static_cast<int>(done % max_sharing)) {
            do_share(worker);
            n_busy_.fetch_sub(1, std::memory_order_release);
        }
    }
}

// False when there will be none.
bool row_pool::wait_for_work(uint64_t done) {
    const auto sleep_at = std::chrono::steady_clock::now() + spin_for;
    while (std::chrono::steady_clock::now() < sleep_at) {
        if (round_.load() != done) {
            return true;
        }
        if (stop_) {
            return false;
        }
        pause();
    }
    std::unique_lock<std::mutex> lock(mutex_);
    n_asleep_.fetch_add(1);
    there_is_work_.wait(lock, [&] { return stop_ || round_.load() != done; });
    n_asleep_.fetch_sub(1);
    return !stop_ || round_.load() != done;
}

}  // namespace jan
