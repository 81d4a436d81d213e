// The workers that compute forward passes: a pool of ggml's threads for each count that worker_choice takes.
// Those of the other pools sleep. An own pool for each, because a pool of more threads than compute wakes all
// of them for every pass.
#pragma once

#include "thread_pool.h"
#include "workers/free_cores.h"
#include "workers/worker_choice.h"

#include "llama.h"

#include <atomic>
#include <map>
#include <memory>

namespace jan {

class worker_team {
  public:
    // Without `adapts` all `most` compute every pass. Throws backend_failure.
    worker_team(int most, bool own_attention, int poll, bool adapts);
    worker_team(const worker_team &) = delete;
    worker_team & operator=(const worker_team &) = delete;

    int most() const { return most_; }
    int n_last() const { return n_last_; }  // that computed the last pass; from any thread

    // All of them to a context; begin() does it for each pass.
    void attach(llama_context * context);

    // Around each pass through the context, on the thread that computes it. `all` has all of them compute,
    // whatever others take: where sums depend on their number and have to be the same again.
    void begin(llama_context * context, int n_rows, bool all);
    void end();

  private:
    thread_pool & pool_of(int n_workers);

    const int most_;
    const bool own_attention_;
    const int poll_;
    const bool adapts_;
    std::map<int, std::unique_ptr<thread_pool>> pools_;  // by their number of threads, made when first taken
    free_cores free_;
    worker_choice choice_;
    std::atomic<int> n_last_;
    bool watched_ = false;  // the pass that has begun
    double began_s_ = 0;
    double on_core_s_ = 0;
};

}  // namespace jan
