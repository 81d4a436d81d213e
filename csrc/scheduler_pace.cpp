// How much of a prompt fits beside the streams that decode: the scheduler's dealings with time.
#include "scheduler.h"

#include <algorithm>

namespace jan {

namespace {

constexpr int least_rows = 8;  // of a prompt that rides along in a pass
// Of one that needs a pass of its own. Where half as many rows take nearly as long, nearly all of it is
// reading the weights, and the prompt would crawl to spare the others little; but deep in a prompt, or with
// kernels that are good at few rows, half as many take half as long.
constexpr int most_rows_apart = 32;
constexpr double worth_halving = 0.75;

int least_rows_apart(const cost_model & cost, int depth) {
    const auto seconds = [&](int n) { return cost.seconds({n, static_cast<double>(depth + n) * n}); };
    int n = most_rows_apart;
    while (n > least_rows && seconds(n / 2) < worth_halving * seconds(n)) {
        n /= 2;
    }
    return n;
}

}  // namespace

pass_size scheduler::size_of(const slice * slices, int n) const {
    pass_size size;
    double deepest = 0;
    for (int i = 0; i < n; ++i) {
        const double depth = slices[i].of->n_computed + slices[i].n_tokens;
        size.n_rows += slices[i].n_tokens;
        size.n_read += depth * slices[i].n_tokens;
        deepest = std::max(deepest, depth);
    }
    if (ledger_.shape().mode == kv_mode::streams) {  // every row reads as much as the deepest
        size.n_read = deepest * size.n_rows;
    }
    return size;
}

double scheduler::gather_s() const {
    constexpr pass_size usual_prompt = {128, 128.0 * 128.0};
    return std::min(0.002, 0.01 * cost_.prefill.seconds(usual_prompt));
}

// How many rows of prompts this step has time for, when they continue a lane of `depth` cells.
int scheduler::prefill_rows(int depth, double now_s) const {
    const int n_decode = plan_.n_decode;
    const int most = options_.max_rows;
    const cost_model & cost = cost_.prefill;
    if (n_decode == 0) {
        const double limit = others_decode_ ? options_.turn_s : options_.pass_limit_s;
        return cost.rows_within(limit / cost.strain(), depth, std::min(64, most), most);
    }
    const double limit = gap_limit(now_s);
    if (ledger_.shape().mode == kv_mode::unified) {  // prompt rows ride along in the same pass
        return cost.rows_within(limit / cost.strain(), depth, n_decode + least_rows, most) - n_decode;
    }
    const pass_size decoding = size_of(plan_.slices.data(), n_decode);
    const double alone = cost_.decode.seconds(decoding) * cost_.decode.strain();
    return cost.rows_within((limit - alone) / cost.strain(), depth, least_rows_apart(cost, depth), most);
}

// How long the streams that decode in this step may wait for their next tokens.
double scheduler::gap_limit(double now_s) const {
    // What a token takes once all that run now decode is what callers live with anyway. Measured
    // by the few that decode already, the others' prompts would crawl.
    const int n_decode = plan_.n_decode;
    const pass_size decoding = size_of(plan_.slices.data(), n_decode);
    const double usual = cost_.decode.seconds({n_running(), decoding.n_read / n_decode * n_running()});
    // Who has been answered for less long than its prompt took has no rhythm yet: it may wait as
    // long once more. Those whose prompts wait are delayed too, so the fewer keep a rhythm, the more
    // they may be.
    double limit = options_.pass_limit_s;
    int n_in_rhythm = 0;
    for (const slice & planned : plan_.slices) {
        const sequence & s = *planned.of;
        const double waited_s = s.first_token_s - s.started_s;
        if (now_s - s.first_token_s > waited_s) {
            ++n_in_rhythm;
        } else {
            limit = std::min(limit, std::max(waited_s, options_.slowdown * usual));
        }
    }
    if (n_in_rhythm > 0) {
        limit = std::min(limit, options_.slowdown * usual * n_running() / n_in_rhythm);
    }
    return std::max(limit, options_.token_gap_s);
}

}  // namespace jan
