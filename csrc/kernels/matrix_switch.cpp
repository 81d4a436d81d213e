#include "matrix_switch.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <mutex>

namespace {

thread_local bool allowed_here = true;
std::atomic<int> n_attention_numbers{0};

// What was said of a pool. Every worker asks before every operation, so without a lock.
struct pool_slot {
    std::atomic<const void *> pool{nullptr};
    std::atomic<bool> own{true};
    std::atomic<int> n_cut{0};
};

// Pools beyond these compute as upstream's do: with a cut by their own number, and attention of our own.
constexpr size_t most_slots = 1024;

struct pool_slots {
    std::array<pool_slot, most_slots> slots;
    std::atomic<size_t> n_used{0};  // those behind are empty
    std::atomic<int> n_most_cut{1};
    std::mutex mutex;  // of whoever writes

    pool_slot * find(const void * pool) {
        const size_t n = n_used.load(std::memory_order_acquire);
        for (size_t i = 0; i < n; ++i) {
            if (slots[i].pool.load(std::memory_order_acquire) == pool) {
                return &slots[i];
            }
        }
        return nullptr;
    }
};

pool_slots & all_slots() {
    static pool_slots instance;
    return instance;
}

}  // namespace

void jan_matrix_kernels_allow(bool allowed) { allowed_here = allowed; }

bool jan_matrix_kernels_allowed(void) { return allowed_here; }

void jan_own_attention_built(int n_numbers) { n_attention_numbers = n_numbers; }

int jan_own_attention_numbers(void) { return n_attention_numbers; }

void jan_attention_of_pool(const void * threadpool, bool own, int n_cut) {
    pool_slots & all = all_slots();
    const std::lock_guard<std::mutex> lock(all.mutex);
    pool_slot * slot = all.find(threadpool);
    if (!slot) {
        slot = all.find(nullptr);
    }
    const size_t n = all.n_used;
    const bool further = !slot && n < most_slots;
    if (further) {
        slot = &all.slots[n];
    }
    if (!slot) {
        return;
    }
    all.n_most_cut = std::max(all.n_most_cut.load(), n_cut);
    slot->own = own;
    slot->n_cut = n_cut;
    slot->pool.store(threadpool, std::memory_order_release);
    if (further) {
        all.n_used.store(n + 1, std::memory_order_release);
    }
}

void jan_forget_pool(const void * threadpool) {
    pool_slots & all = all_slots();
    const std::lock_guard<std::mutex> lock(all.mutex);
    if (pool_slot * slot = all.find(threadpool)) {
        slot->pool = nullptr;
    }
}

bool jan_own_attention(const void * threadpool) {
    const pool_slot * slot = all_slots().find(threadpool);
    return !slot || slot->own;
}

int jan_attention_cut(const void * threadpool, int n_threads) {
    const pool_slot * slot = all_slots().find(threadpool);
    return slot ? slot->n_cut.load() : n_threads;
}

int jan_most_attention_cut(void) { return all_slots().n_most_cut; }
