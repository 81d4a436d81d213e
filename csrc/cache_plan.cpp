#include "cache_plan.h"

#include "error.h"

#include <algorithm>
#include <string>

namespace jan {

namespace {

constexpr int granularity = 256;  // upstream's
// Of free memory: the rest is for the buffers of a pass, and for whoever else is here.
constexpr double share_of_memory = 0.8;
// Without the flash kernel a CPU reads prompts in small pieces, and decodes, faster, but it needs
// a row of scores per head: up to this context that is affordable.
constexpr int most_ctx_without_flash = 8192;

int64_t round_up(int64_t n) { return (n + granularity - 1) / granularity * granularity; }

}  // namespace

cache_plan plan_cache(const cache_wish & wish) {
    const auto require = [](bool condition, const char * what) {
        if (!condition) {
            throw error(errc::invalid_argument, what);
        }
    };
    require(wish.n_lanes > 0 && wish.n_lanes <= 256, "n_parallel must be between 1 and 256");
    require(wish.n_ctx >= 0, "n_ctx must not be negative");
    require(wish.n_cells >= 0, "n_cells must not be negative");
    require(wish.mode >= -1 && wish.mode <= 1, "kv_mode must be -1, 0 or 1");

    cache_plan plan;
    kv_shape & shape = plan.shape;
    const int64_t n_ctx = round_up(wish.n_ctx > 0 ? wish.n_ctx : wish.n_ctx_train);
    const int64_t n_wanted = n_ctx * wish.n_lanes;
    shape.n_lanes = wish.n_lanes;
    shape.n_cells = wish.n_cells > 0 ? round_up(wish.n_cells) : n_wanted;
    if (wish.n_cells == 0 && wish.cell_bytes > 0 && wish.free_bytes > 0) {
        const double room = share_of_memory * static_cast<double>(wish.free_bytes);
        const auto n_room = static_cast<int64_t>(room / static_cast<double>(wish.cell_bytes));
        shape.n_cells = std::min(shape.n_cells, n_room / granularity * granularity);
        if (shape.n_cells == 0) {
            throw error(errc::out_of_memory, "free memory does not hold the cache of a single short sequence",
                        "a smaller cache_type needs less memory");
        }
    }

    // A lane with cells of its own reads no others. One pool is for sharing what is scarce: a
    // cache smaller than all lanes could fill.
    const bool scarce = shape.n_cells < n_wanted;
    const bool apart = wish.recurrent || (wish.n_lanes > 1 && !scarce);
    shape.mode = wish.mode >= 0 ? static_cast<kv_mode>(wish.mode)
                 : apart        ? kv_mode::streams
                                : kv_mode::unified;
    if (shape.mode == kv_mode::streams) {
        const int64_t n_each = shape.n_cells / wish.n_lanes / granularity * granularity;
        shape.n_ctx = static_cast<int>(std::min(n_ctx, n_each));
        shape.n_cells = static_cast<int64_t>(shape.n_ctx) * wish.n_lanes;
    } else {
        shape.n_ctx = static_cast<int>(std::min(n_ctx, shape.n_cells));
    }
    shape.can_truncate = !wish.recurrent;
    require(shape.n_ctx >= granularity, "n_cells: the cache must give each lane at least 256 cells");
    require(shape.n_cells <= INT32_MAX, "n_ctx * n_parallel is more cells than a cache can have");

    // Past other lanes' cells the flash kernel skips; a plain product would compute them.
    const bool own_cells = shape.mode == kv_mode::streams || shape.n_lanes == 1;
    plan.flash = wish.flash < 0 && wish.own_attention ? 1 : wish.flash;
    if (plan.flash < 0 && !wish.on_gpu && !wish.quantized && own_cells &&
        shape.n_ctx <= most_ctx_without_flash) {
        plan.flash = 0;
        plan.timing_decides = !wish.recurrent;  // few layers of those attend, and lanes cannot be cut
    }
    return plan;
}

}  // namespace jan
