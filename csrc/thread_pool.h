// ggml's own worker threads, kept alive between steps. Without one ggml starts and joins its
// threads for every graph, which costs more than a small model's forward pass.
#pragma once

#include "ggml-cpu.h"

namespace jan {

class thread_pool {
  public:
    // How long a worker watches for the next graph before it sleeps, from 0 to 100. With
    // vendor/llama.cpp/patient_wait.h one unit is some ten milliseconds, most of them napped away.
    static constexpr int usual_poll = 1;

    // The creating thread counts as one of n_threads. Whether attention is computed by csrc/kernels, where
    // that can, is a matter of who computes. That kernel cuts its work for n_cut workers, 0 = n_threads:
    // pools with the same number come to the same sums. Throws backend_failure.
    thread_pool(int n_threads, bool own_attention, int poll = usual_poll, int n_cut = 0);
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
