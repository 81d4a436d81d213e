#include "workers/worker_team.h"

#include "error.h"

#include <algorithm>
#include <chrono>

namespace jan {

namespace {

double clock_s() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace

worker_team::worker_team(int most, bool own_attention, int poll, bool adapts)
    : most_(most), own_attention_(own_attention), poll_(poll), adapts_(adapts && most > 1),
      choice_(most, [this] { return free_.read(); }), n_last_(most) {
    pool_of(most);  // fails here, where threads are not allowed
}

thread_pool & worker_team::pool_of(int n_workers) {
    std::unique_ptr<thread_pool> & pool = pools_[n_workers];
    if (!pool) {
        pool = std::make_unique<thread_pool>(n_workers, own_attention_, poll_, most_);
    }
    return *pool;
}

void worker_team::attach(llama_context * context) {
    const ggml_threadpool_t pool = pool_of(most_).handle();
    llama_attach_threadpool(context, pool, pool);
}

void worker_team::begin(llama_context * context, int n_rows, bool all) {
    watched_ = adapts_ && !all;
    began_s_ = clock_s();
    int n = watched_ ? choice_.choose(n_rows, began_s_) : most_;
    try {
        pool_of(n);
    } catch (const error &) {  // the system has no more threads for us
        pools_.erase(n);
        n = most_;
    }
    const ggml_threadpool_t pool = pools_.at(n)->handle();
    llama_attach_threadpool(context, pool, pool);
    llama_set_n_threads(context, n, n);
    n_last_ = n;
    on_core_s_ = thread_on_core_s();
}

void worker_team::end() {
    if (!watched_) {
        return;
    }
    const double now_s = clock_s();
    pass_watch took;
    took.wall_s = now_s - began_s_;
    took.off_core_s = on_core_s_ < 0 ? 0 : std::max(0.0, took.wall_s - (thread_on_core_s() - on_core_s_));
    choice_.observe(took, now_s);
}

}  // namespace jan
