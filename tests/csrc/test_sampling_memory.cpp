// What a request keeps while it waits: by what it asked for, not by the vocabulary or the context.
#include "check.h"

#include "row_choice.h"

#include <atomic>
#include <cstdlib>
#include <malloc.h>
#include <new>

namespace {

std::atomic<size_t> n_live{0};

}  // namespace

void * operator new(size_t n) {
    void * p = std::malloc(n);
    if (!p) {
        throw std::bad_alloc();
    }
    n_live += malloc_usable_size(p);
    return p;
}

void operator delete(void * p) noexcept {
    n_live -= p ? malloc_usable_size(p) : 0;
    std::free(p);
}

void operator delete(void * p, size_t) noexcept { operator delete(p); }

namespace {

using namespace jan;

constexpr int n_ctx = 1 << 17;

// Of the sampler alone; what the request let go of is taken off.
size_t live_after(sampling_params p, int max_tokens) {
    piece_table pieces;
    for (int i = 0; i < 150000; ++i) {
        pieces.add("x", false);
    }
    const row_choice choice(pieces, n_ctx, nullptr, 1);
    const size_t before = n_live;
    request r;
    r.prompt.assign(10, 1);
    r.max_tokens = max_tokens;
    r.sampling = std::make_shared<sampling_params>(std::move(p));
    const auto made = choice.make_sampler(r);
    CHECK(made);
    return n_live - before;
}

void test_windows_are_as_long_as_the_text_can_get() {
    sampling_params p;
    p.repeat_penalty = 1.1f;
    p.repeat_last_n = -1;
    p.dry_multiplier = 1;
    p.dry_sequence_breakers.clear();
    CHECK(live_after(p, 100) < 64 << 10);
    CHECK(live_after(p, 0) < 64 << 10);
    p.repeat_last_n = p.dry_penalty_last_n = 1 << 30;
    CHECK(live_after(p, 100) < 64 << 10);
}

void test_biases_are_kept_once() {
    constexpr size_t n = 100000;
    sampling_params p;
    p.biases.assign(n, {5, 1});
    // Once, and room for what the row held in their places.
    CHECK(live_after(std::move(p), 100) < 2 * n * sizeof(logit_bias) + (64 << 10));
}

}  // namespace

int main() {
    test_windows_are_as_long_as_the_text_can_get();
    test_biases_are_kept_once();
    CHECK_DONE();
}
