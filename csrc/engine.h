// One model's engine: a thread that runs the step loop for every request there is.
#pragma once

#include "constraint/grammar_cache.h"
#include "cost_model.h"
#include "engine_stats.h"
#include "forward.h"
#include "kv_ledger.h"
#include "mailbox.h"
#include "piece_table.h"
#include "row_choice.h"
#include "scheduler.h"
#include "sequence.h"

#include <memory>
#include <optional>
#include <thread>
#include <unordered_map>
#include <vector>

namespace jan {

struct engine_options {
    int max_waiting = 1024;        // requests without a lane; more are refused
    double calibrate_s = 1.0;      // spent at most on measuring passes before the first request
    double beat_s = 5;             // the thread shows that it lives at least so often, idle or not
    bool check_integrity = false;  // after every step; for tests
    int n_row_threads = 1;         // that choose tokens when there are many rows
    bool idle_core = false;        // while a pass runs, for the masks of grammars
    scheduler_options schedule;
};

// Every function may be called from any thread.
class engine {
  public:
    // Without `upstream` some combinations of sampling parameters are refused: see row_choice.
    engine(std::unique_ptr<forward> model, std::shared_ptr<const piece_table> pieces,
           const engine_options & options, std::unique_ptr<const token_chain_source> upstream = nullptr);
    ~engine();  // aborts whatever runs
    engine(const engine &) = delete;
    engine & operator=(const engine &) = delete;

    // The id under which its events come. Makes the request's sampler, which takes a moment where
    // DRY is asked for, so hold no lock that events have to pass. Throws invalid_argument, context_overflow,
    // queue_full or engine_closed; then nothing was submitted and no event comes.
    uint64_t submit(request ask);

    // The request ends with finish_reason::cancelled before the next step; unknown and ended
    // ones are ignored.
    void cancel(uint64_t id);

    // No more requests are taken. With `drain` those there are run to their end, otherwise they
    // are cancelled. Returns at once; take() returns false when all is told.
    void close(bool drain);

    // See outbox::take.
    bool take(event_batch & into, double timeout_s) { return outbox_.take(into, timeout_s); }

    // Compiles what request::constraint needs: see grammar_cache.
    grammar_cache & grammars() { return grammars_; }

    const kv_shape & shape() const { return shape_; }
    const engine_stats & stats() const { return stats_; }
    std::vector<step_trace::entry> trace() const { return trace_.read(); }
    double clock_s() const;  // what the heartbeat and the trace are measured on

  private:
    void run();
    bool obey(bool wait);
    void step();
    void publish();
    bool apply(const lane_change & change);
    void run_pass(const slice * slices, int n);
    void fail_pass(const slice * slices, int n, const error & why);
    void advance(const slice & done);
    void choose_held();
    void take_tokens(sequence & s);
    std::optional<finish_reason> take_token(sequence & s, token chosen);
    void tell(sequence & s);
    void tell_progress(const sequence & s);
    void tell_beginnings(const step_plan & plan);
    void end(sequence & s, finish_reason reason, const error & failure = error());
    void end_all(finish_reason reason, const error & failure);

    const std::unique_ptr<forward> forward_;
    const std::shared_ptr<const piece_table> pieces_;
    const engine_options options_;
    const kv_shape shape_;
    row_choice choice_;
    grammar_cache grammars_;
    const std::unique_ptr<mask_ahead> masks_;  // null: made when they are needed

    // The engine's thread alone uses these.
    kv_ledger ledger_;
    pass_costs cost_;
    scheduler scheduler_;
    std::unordered_map<uint64_t, std::unique_ptr<sequence>> sequences_;
    std::vector<command> commands_;
    event_batch told_;
    double now_s_ = 0;
    double forward_s_ = 0;  // of the step
    bool turning_ = false;  // the next pass prepares for other adapters: what it takes says nothing
    bool draining_ = false;
    int n_running_before_ = 0;
    int64_t n_cells_cached_ = 0;

    // Shared.
    inbox inbox_;
    outbox outbox_;
    engine_stats stats_;
    step_trace trace_;
    std::atomic<uint64_t> next_id_{1};
    std::atomic<int> n_open_{0};  // submitted and not ended
    std::atomic<bool> closed_{false};
    std::atomic<double> mean_request_s_{1};

    std::thread thread_;  // last: everything else exists when it starts
};

}  // namespace jan
