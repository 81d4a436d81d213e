// ggml's own worker threads, kept alive between steps. Without one ggml starts and joins its
// threads for every graph, which costs more than a small model's forward pass.
#pragma once

#include "ggml-cpu.h"

namespace jan {

class thread_pool {
  public:
    // The creating thread counts as one of n_threads. `poll` (0-100) is how long a worker spins
    // for the next graph before it sleeps. Throws backend_failure.
    explicit thread_pool(int n_threads, int poll = 50);
    ~thread_pool();
    thread_pool(const thread_pool &) = delete;
    thread_pool & operator=(const thread_pool &) = delete;

    ggml_threadpool_t handle() const { return handle_; }
    int n_threads() const { return n_threads_; }

  private:
    int n_threads_;
    ggml_threadpool_t handle_;
};

}  // namespace jan
