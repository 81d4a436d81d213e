#include "matrix_switch.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <vector>

namespace {

thread_local bool allowed_here = true;
std::atomic<int> n_attention_numbers{0};

// Pools of workers whose attention is upstream's: seldom any.
struct refused_pools {
    std::atomic<size_t> count{0};  // asked by every worker for every operation, mostly zero
    std::mutex mutex;
    std::vector<const void *> pools;
};

refused_pools & refused() {
    static refused_pools instance;
    return instance;
}

}  // namespace

void jan_matrix_kernels_allow(bool allowed) { allowed_here = allowed; }

bool jan_matrix_kernels_allowed(void) { return allowed_here; }

void jan_own_attention_built(int n_numbers) { n_attention_numbers = n_numbers; }

int jan_own_attention_numbers(void) { return n_attention_numbers; }

void jan_own_attention_allow(const void * threadpool, bool allowed) {
    refused_pools & r = refused();
    const std::lock_guard<std::mutex> lock(r.mutex);
    r.pools.erase(std::remove(r.pools.begin(), r.pools.end(), threadpool), r.pools.end());
    if (!allowed) {
        r.pools.push_back(threadpool);
    }
    r.count = r.pools.size();
}

bool jan_own_attention(const void * threadpool) {
    refused_pools & r = refused();
    if (r.count == 0) {
        return true;
    }
    const std::lock_guard<std::mutex> lock(r.mutex);
    return std::find(r.pools.begin(), r.pools.end(), threadpool) == r.pools.end();
}
