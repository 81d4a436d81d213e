#include "calibration.h"

#include "sequence.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <vector>

namespace jan {

namespace {

double clock_s() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace

void calibrate(forward & through, int max_rows, double limit_s, const std::function<bool()> & stop,
               pass_costs & cost) {
    const double end_s = clock_s() + limit_s;
    const int n_lanes_most = through.shape().n_lanes;
    request nothing;
    nothing.prompt.assign(static_cast<size_t>(std::min(128, max_rows)), 0);
    std::vector<std::unique_ptr<sequence>> idle;
    std::vector<slice> slices;
    for (int lane = 0; lane < n_lanes_most; ++lane) {
        idle.push_back(std::make_unique<sequence>(nothing, 0));
        idle.back()->lane = lane;
    }
    const auto measured = [&](cost_model & of, int n_lanes, int n_tokens) {
        const int n_rows = n_lanes * n_tokens;
        const pass_size size{n_rows, static_cast<double>(n_rows) * n_tokens};
        if (n_rows > max_rows || clock_s() + of.seconds(size) > end_s || stop()) {
            return false;
        }
        slices.clear();
        for (int lane = 0; lane < n_lanes; ++lane) {
            slices.push_back({idle[static_cast<size_t>(lane)].get(), n_tokens, 1});
        }
        const double start_s = clock_s();
        const bool done = through.run(slices.data(), n_lanes) == pass_status::done;
        if (done) {
            through.logits(0);
            of.observe(size, clock_s() - start_s);
        }
        for (int lane = 0; lane < n_lanes; ++lane) {
            through.apply({lane_change::kind::trim, lane, -1, 0, 0});
        }
        return done;
    };
    // The first pass is slower than any later one: it faults pages in.
    bool ready = measured(cost.decode, 1, 1) && measured(cost.decode, 1, 1) && measured(cost.prefill, 1, 8);
    for (int n_lanes = 4; ready && n_lanes <= n_lanes_most; n_lanes *= 2) {
        ready = measured(cost.decode, n_lanes, 1);
    }
    if (ready) {
        measured(cost.prefill, 1, 128);
    }
}

}  // namespace jan
