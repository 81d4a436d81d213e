// The cache's size and layout for what a caller wishes and a machine has.
#include "check.h"

#include "cache_plan.h"
#include "error.h"
#include "free_memory.h"

#include <cstdio>

namespace {

using namespace jan;

errc refusal(const cache_wish & wish) {
    try {
        plan_cache(wish);
    } catch (const error & why) {
        return why.code;
    }
    return errc::internal;
}

void test_lanes_get_cells_of_their_own() {
    cache_wish wish;
    wish.n_lanes = 8;
    wish.n_ctx = 1000;
    const cache_plan plan = plan_cache(wish);
    CHECK(plan.shape.mode == kv_mode::streams);
    CHECK(plan.shape.n_ctx == 1024);
    CHECK(plan.shape.n_cells == 8 * 1024);
    CHECK(plan.flash == 0 && plan.timing_decides);
}

void test_what_is_scarce_is_shared() {
    cache_wish wish;
    wish.n_lanes = 8;
    wish.n_ctx = 4096;
    wish.n_cells = 8192;
    const cache_plan plan = plan_cache(wish);
    CHECK(plan.shape.mode == kv_mode::unified);
    CHECK(plan.shape.n_ctx == 4096);
    CHECK(plan.shape.n_cells == 8192);
    CHECK(plan.flash == -1 && !plan.timing_decides);
    wish.mode = static_cast<int>(kv_mode::streams);  // pinned: each lane gets its part
    CHECK(plan_cache(wish).shape.n_ctx == 1024);
}

void test_free_memory_is_the_limit() {
    cache_wish wish;
    wish.n_lanes = 4;
    wish.n_ctx_train = 131072;
    wish.cell_bytes = 1 << 17;
    wish.free_bytes = uint64_t{10} << 30;
    const cache_plan plan = plan_cache(wish);
    CHECK(plan.shape.mode == kv_mode::unified);
    CHECK(plan.shape.n_cells * (1 << 17) <= static_cast<int64_t>(8.1 * (1 << 30)));
    CHECK(plan.shape.n_cells % 256 == 0);
    CHECK(plan.shape.n_ctx == plan.shape.n_cells);
    wish.free_bytes = 1 << 20;
    CHECK(refusal(wish) == errc::out_of_memory);
    wish.n_cells = 4096;  // the caller's word counts more than our guess
    CHECK(plan_cache(wish).shape.n_cells == 4096);
}

void test_the_kernel_follows_the_layout() {
    cache_wish wish;
    wish.n_lanes = 4;
    wish.n_ctx = 32768;
    CHECK(plan_cache(wish).flash == -1);
    wish.n_ctx = 4096;
    CHECK(plan_cache(wish).flash == 0);
    wish.quantized = true;
    CHECK(plan_cache(wish).flash == -1);
    wish.quantized = false;
    wish.on_gpu = true;
    CHECK(plan_cache(wish).flash == -1);
    wish.flash = 1;
    CHECK(plan_cache(wish).flash == 1);
    wish.on_gpu = false;
    for (const int n_lanes : {1, 4}) {  // ours is better whatever the layout
        cache_wish own;
        own.n_lanes = n_lanes;
        own.n_ctx = 4096;
        own.own_attention = true;
        CHECK(plan_cache(own).flash == 1 && !plan_cache(own).timing_decides);
        own.flash = 0;
        CHECK(plan_cache(own).flash == 0);
    }
    for (const int asked : {0, 1}) {  // who asks is not second-guessed
        wish.flash = asked;
        CHECK(plan_cache(wish).flash == asked && !plan_cache(wish).timing_decides);
    }
}

void test_recurrent_models_have_a_state_per_lane() {
    cache_wish wish;
    wish.recurrent = true;
    wish.n_ctx = 512;
    const cache_plan plan = plan_cache(wish);
    CHECK(plan.shape.mode == kv_mode::streams);
    CHECK(!plan.shape.can_truncate);
    CHECK(!plan.timing_decides);
}

void test_impossible_wishes_are_refused() {
    for (const int n_lanes : {0, -1, 257}) {
        cache_wish wish;
        wish.n_lanes = n_lanes;
        CHECK(refusal(wish) == errc::invalid_argument);
    }
    cache_wish wish;
    wish.n_ctx = -1;
    CHECK(refusal(wish) == errc::invalid_argument);
    wish.n_ctx = 1 << 30;
    wish.n_lanes = 4;
    CHECK(refusal(wish) == errc::invalid_argument);
}

constexpr uint64_t gb = uint64_t{1} << 30;

std::vector<device> machine(uint64_t gpu_free) {
    return {{"cpu", "", "cpu", device_kind::cpu, 64 * gb, 64 * gb},
            {"gpu", "", "cuda", device_kind::gpu, gpu_free, 24 * gb}};
}

void test_layers_left_on_the_cpu_have_the_cpu_s_memory() {
    const std::vector<device> with = machine(8 * gb);
    const std::vector<device> without = {with[0]};
    CHECK(gpu_share(without, -1, 32) == 0);
    CHECK(gpu_share(with, 0, 32) == 0);
    CHECK(gpu_share(with, 1, 32) == 0);  // what follows the last layer has no cache
    CHECK(gpu_share(with, 17, 32) == 0.5);
    CHECK(gpu_share(with, -1, 32) == 1 && gpu_share(with, 99, 32) == 1);
    CHECK(free_memory(with, 0, 10 * gb, 30 * gb) == 20 * gb);
    CHECK(free_memory(without, 0, 10 * gb, 30 * gb) == 20 * gb);
    CHECK(free_memory(without, 0, 10 * gb, 0) == 0);  // nobody knows
    CHECK(free_memory(with, 1, 10 * gb, 30 * gb) == 8 * gb);
}

void test_of_two_memories_the_scarcer_decides() {
    CHECK(free_memory(machine(8 * gb), 0.5, 10 * gb, 30 * gb) == 16 * gb);
    CHECK(free_memory(machine(8 * gb), 0.5, 10 * gb, 7 * gb) == 4 * gb);
    const uint64_t none = free_memory(machine(8 * gb), 0.5, 10 * gb, 2 * gb);
    CHECK(none > 0 && none < 1024);  // known to be none
}

void test_available_memory_is_read() {
    const char * name = "meminfo-of-a-test";
    std::FILE * file = std::fopen(name, "w");
    std::fputs("MemTotal:  100 kB\nMemFree:   10 kB\nMemAvailable:  50 kB\n", file);
    std::fclose(file);
    CHECK(available_memory(name) == 50 * 1024);
    std::remove(name);
    CHECK(available_memory(name) == 0);
}

}  // namespace

int main() {
    test_lanes_get_cells_of_their_own();
    test_what_is_scarce_is_shared();
    test_free_memory_is_the_limit();
    test_the_kernel_follows_the_layout();
    test_recurrent_models_have_a_state_per_lane();
    test_impossible_wishes_are_refused();
    test_layers_left_on_the_cpu_have_the_cpu_s_memory();
    test_of_two_memories_the_scarcer_decides();
    test_available_memory_is_read();
    CHECK_DONE();
}
