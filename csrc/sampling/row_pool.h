// Threads for work that is the same for every row of a step. Which thread does which rows depends
// on the numbers of both alone, and no row may depend on another, so results never depend on it.
#pragma once

#include <atomic>
#include <climits>
#include <condition_variable>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace jan {

// run() is for one thread at a time, which works along; the others sleep between calls.
class row_pool {
  public:
    explicit row_pool(int n_threads);  // with fewer when the system gives no more
    ~row_pool();
    row_pool(const row_pool &) = delete;
    row_pool & operator=(const row_pool &) = delete;

    int n_threads() const { return static_cast<int>(threads_.size()) + 1; }

    // work(row, worker) for every row below n_rows, worker below n_threads(). Rethrows the first
    // exception once all threads are done; rows after it in the same share are left out. No more than
    // `most` threads take part.
    void run(int n_rows, const std::function<void(int row, int worker)> & work, int most = INT_MAX);

  private:
    void serve(int worker);
    void do_share(int worker) noexcept;
    bool wait_for_work(uint64_t done);

    std::vector<std::thread> threads_;
    const std::function<void(int, int)> * work_ = nullptr;
    int n_rows_ = 0;
    int n_sharing_ = 0;  // this thread included
    // Which round of work it is and, in one value with that, how many threads share it.
    std::atomic<uint64_t> round_{0};
    std::atomic<int> n_busy_{0};  // of those that share it
    std::atomic<int> n_asleep_{0};
    std::atomic<bool> stop_{false};
    std::mutex mutex_;
    std::condition_variable there_is_work_;
    std::exception_ptr failure_;  // under mutex_
};

}  // namespace jan
