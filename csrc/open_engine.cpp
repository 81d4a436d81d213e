#include "open_engine.h"

#include "error.h"
#include "kernel_trial.h"
#include "processors.h"
#include "sampling/llama_chain.h"

#include <algorithm>
#include <chrono>
#include <string>
#include <thread>

namespace jan {

namespace {

constexpr int max_row_threads = 8;  // more only wait for memory
constexpr double trial_share = 2;   // of what may be spent on calibrating
constexpr int least_ctx = 256;      // upstream's granularity; only a table of positions is smaller

double clock_s() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Times both kernels in small contexts, which are gone when it returns. Never throws what a trial does:
// without one the plan stands, and whoever opens the engine meets what is wrong with the model.
kernel_choice try_kernels(const std::shared_ptr<const model> & source, const forward_options & options,
                          const engine_options & running, const std::shared_ptr<worker_team> & team) {
    const cache_plan planned = llama_forward::plan(*source, options);
    kernel_choice choice;
    choice.flash = planned.flash;
    if (!planned.timing_decides) {
        return choice;
    }
    choice.reason = kernel_reason::untimed;
    const int n_positions = options.n_positions > 0 ? options.n_positions : planned.shape.n_ctx;
    const int n_ctx = std::min(planned.shape.n_ctx, n_positions);
    const double limit_s = trial_share * running.calibrate_s;
    if (limit_s <= 0 || n_ctx < least_ctx) {
        return choice;
    }
    const prompt_pace pace = {running.schedule.token_gap_s, running.schedule.slowdown};
    const trial_size size = plan_trial(planned.shape.n_lanes, n_ctx, options.max_rows);
    forward_options small = options;
    small.n_lanes = size.n_lanes;
    small.n_ctx = size.depth + size.n_small;
    small.n_cells = 0;
    small.adapt_threads = false;  // else the kernels would be compared with different workers
    small.max_rows = std::max(size.n_large, size.n_lanes);
    try {
        small.flash_attention = 0;
        llama_forward plain(source, small, team);
        small.flash_attention = 1;
        llama_forward flash(source, small, team);
        return time_kernels(plain, flash, size, pace, limit_s, clock_s);
    } catch (...) {
        choice.failure = current_error().message;
        return choice;
    }
}

}  // namespace

opened_engine open_engine(std::shared_ptr<const model> source, const forward_options & options,
                          const engine_options & running) {
    auto pieces = source->vocab().pieces();
    auto chains = std::make_unique<llama_chain_source>(llama_model_get_vocab(source->handle()));
    const auto team = std::make_shared<worker_team>(
        checked_n_threads(options.n_threads), source->own_kernels(), options.poll, options.adapt_threads);
    opened_engine made;
    made.kernel = try_kernels(source, options, running, team);
    forward_options chosen = options;
    chosen.flash_attention = made.kernel.flash;
    auto through = std::make_unique<llama_forward>(std::move(source), chosen, team);  // keeps the vocabulary
    engine_options with_threads = running;
    with_threads.idle_core = through->n_threads() < static_cast<int>(std::thread::hardware_concurrency());
    made.n_threads = through->n_threads();
    with_threads.n_row_threads = std::min(max_row_threads, made.n_threads);
    made.running =
        std::make_unique<engine>(std::move(through), std::move(pieces), with_threads, std::move(chains));
    return made;
}

std::unique_ptr<engine> open_null_engine(const null_options & options, const engine_options & running) {
    auto pieces = std::make_shared<piece_table>();
    for (int i = 0; i < options.n_vocab; ++i) {
        pieces->add(std::string(1, static_cast<char>('a' + i % 26)), false);
    }
    return std::make_unique<engine>(std::make_unique<null_forward>(options), std::move(pieces), running);
}

}  // namespace jan
