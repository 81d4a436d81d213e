#include "kernel_choice.h"

#include <algorithm>

namespace jan {

namespace {

constexpr double share_read_beside_streams = 0.5;  // of a prompt's tokens
// A gain that two runs agree on: the minima of one kernel differ by this much from load to load.
constexpr double least_gain = 0.015;

constexpr int most_lanes = 32;
constexpr int most_cells = 8192;  // of all lanes: filling more takes longer than it tells
constexpr int most_depth = 1024;

}  // namespace

trial_size plan_trial(int n_lanes, int n_ctx, int max_rows) {
    trial_size size;
    size.n_lanes = std::min({n_lanes, most_lanes, max_rows});
    size.n_large = std::min(size.n_large, max_rows);
    size.n_small = std::min(size.n_small, max_rows);
    // n_ctx is the longest there may be; a token on its way has about a quarter of it behind it.
    const int likely = std::min({n_ctx / 4, most_depth, most_cells / size.n_lanes});
    size.depth = std::max(likely, size.n_large);
    return size;
}

bool reads_small(const kernel_times & times, const trial_size & size, const prompt_pace & pace) {
    const double gap_s = std::max(pace.token_gap_s, pace.slowdown * times.decode_s);
    return size.n_lanes > 1 && times.large_s > gap_s - times.decode_s;
}

double request_token_s(const kernel_times & times, const trial_size & size, const prompt_pace & pace) {
    const double alone = times.large_s / size.n_large;
    const double beside = reads_small(times, size, pace) ? times.small_s / size.n_small : alone;
    const double read = share_read_beside_streams * beside + (1 - share_read_beside_streams) * alone;
    return times.decode_s / size.n_lanes + read;
}

kernel_choice choose_kernel(const kernel_times & plain, const kernel_times & flash, const trial_size & size,
                            const prompt_pace & pace) {
    kernel_choice choice;
    choice.reason = kernel_reason::timed;
    choice.plain_s = request_token_s(plain, size, pace);
    choice.flash_s = request_token_s(flash, size, pace);
    choice.flash = choice.flash_s < (1 - least_gain) * choice.plain_s ? 1 : 0;
    choice.size = size;
    return choice;
}

}  // namespace jan
