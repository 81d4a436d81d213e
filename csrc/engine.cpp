#include "engine.h"

#include "calibration.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>

namespace jan {

namespace {

error failed_pass(const forward & through, const slice * slices, int n) {
    int64_t n_rows = 0;
    for (int i = 0; i < n; ++i) {
        n_rows += slices[i].n_tokens;
    }
    return error(errc::backend_failure, through.failure()).with("n_rows", n_rows);
}

}  // namespace

double engine::clock_s() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

engine::engine(std::unique_ptr<forward> model, std::shared_ptr<const piece_table> pieces,
               const engine_options & options, std::unique_ptr<const token_chain_source> upstream)
    : forward_(std::move(model)), pieces_(std::move(pieces)), options_([&] {
          engine_options o = options;
          o.schedule.max_rows = std::min(o.schedule.max_rows, forward_->max_rows());
          o.schedule.max_outputs = forward_->max_outputs();
          return o;
      }()),
      shape_(forward_->shape()), choice_(*pieces_, shape_.n_ctx, std::move(upstream), options_.n_row_threads),
      grammars_(pieces_), masks_(options_.idle_core ? std::make_unique<mask_ahead>() : nullptr),
      ledger_(shape_), scheduler_(options_.schedule, ledger_, cost_), thread_([this] { run(); }) {
    stats_.heartbeat_s = clock_s();  // who looks before the thread's first step sees no corpse
}

engine::~engine() {
    close(false);
    forward_->abort();
    thread_.join();
}

uint64_t engine::submit(request ask) {
    check(ask, shape_.n_ctx, pieces_->n_tokens());
    if (ask.constraint && !grammars_.made(*ask.constraint->grammar)) {
        throw error(errc::invalid_argument, "constraint: it was compiled for another engine");
    }
    if (ask.deterministic) {
        if (shape_.mode == kv_mode::unified && shape_.n_lanes > 1) {
            throw error(errc::invalid_argument,
                        "deterministic: the cells of all sequences lie in one pool here, "
                        "in an order that differs; it takes kv_mode STREAMS, or a cache "
                        "that holds n_parallel times n_ctx");
        }
        ask.cache_prompt = ask.speculate = false;
    }
    if (closed_) {
        throw error(errc::engine_closed, "the engine is closed");
    }
    const int n_ahead = n_open_.fetch_add(1) - shape_.n_lanes - options_.max_waiting;
    if (n_ahead >= 0) {
        n_open_.fetch_sub(1);
        const double wait_s = mean_request_s_ * (options_.max_waiting + shape_.n_lanes) / shape_.n_lanes;
        throw error(errc::queue_full, std::to_string(options_.max_waiting) + " requests wait already")
            .with("retry_after_ms", std::max<int64_t>(1000, std::llround(wait_s * 1000 / 4)));
    }
    std::unique_ptr<sampler> chooser;
    std::unique_ptr<constraint> bounds;
    try {
        chooser = choice_.make_sampler(ask);  // takes its time, so only for whom there is a place
        if (ask.constraint) {
            bounds = std::make_unique<constraint>(ask.constraint, *pieces_, ask.shown);
        }
    } catch (...) {
        n_open_.fetch_sub(1);
        throw;
    }
    // Cells are what they are by their adapters too. With its length in front no salt reads as such a key.
    const std::string adapters = ask.adapters ? ask.adapters->key : "";
    ask.cache_salt = std::to_string(adapters.size()) + ":" + adapters + ask.cache_salt;
    ask.id = next_id_.fetch_add(1);
    const uint64_t id = ask.id;
    if (!inbox_.put({command::kind::submit, id, std::move(ask), std::move(chooser), std::move(bounds)})) {
        n_open_.fetch_sub(1);
        throw error(errc::engine_closed, "the engine is closed");
    }
    stats_.n_submitted.fetch_add(1);
    return id;
}

void engine::cancel(uint64_t id) { inbox_.put({command::kind::cancel, id, {}}); }

void engine::close(bool drain) {
    closed_ = true;
    inbox_.put({drain ? command::kind::drain : command::kind::abort, 0, {}});
}

// Everything below runs on the engine's thread.

void engine::run() {
    try {
        // Whoever comes first does not wait for it: what is left to know is learned from real passes.
        const auto wanted = [this] { return closed_ || n_open_ > 0; };
        calibrate(*forward_, options_.schedule.max_rows, options_.calibrate_s, wanted, cost_);
        while (obey(scheduler_.idle())) {
            step();
        }
    } catch (...) {
        const error what = current_error();
        closed_ = true;
        std::fprintf(stderr, "jan-engine: the step loop ended: %s\n", what.message.c_str());
        end_all(finish_reason::failed, what);
    }
    // Whoever was submitted while the loop ended is told so too.
    inbox_.close(commands_);
    for (command & c : commands_) {
        if (c.what == command::kind::submit) {
            sequences_.emplace(c.id, std::make_unique<sequence>(std::move(c.ask), clock_s()));
        }
    }
    end_all(finish_reason::cancelled, error());
    outbox_.put(told_);
    outbox_.close();
}

// Commands since the last step. False when it is time to end.
bool engine::obey(bool wait) {
    if (wait && draining_) {
        return false;
    }
    do {
        stats_.heartbeat_s = clock_s();
        inbox_.take(commands_, wait ? options_.beat_s : 0, wait ? scheduler_.gather_s() : 0);
    } while (wait && commands_.empty());
    now_s_ = clock_s();
    for (command & c : commands_) {
        switch (c.what) {
            case command::kind::submit: {
                auto s = std::make_unique<sequence>(std::move(c.ask), now_s_, std::move(c.chooser),
                                                    std::move(c.bounds));
                scheduler_.submit(s.get());
                sequences_.emplace(c.id, std::move(s));
                break;
            }
            case command::kind::cancel: {
                const auto found = sequences_.find(c.id);
                if (found != sequences_.end()) {
                    end(*found->second, finish_reason::cancelled);
                }
                break;
            }
            case command::kind::drain: draining_ = true; break;
            case command::kind::abort:
                draining_ = true;
                end_all(finish_reason::cancelled, error());
                break;
        }
    }
    if (!commands_.empty()) {
        commands_.clear();
        publish();
    }
    return !(draining_ && scheduler_.idle());
}

void engine::step() {
    const double start_s = clock_s();
    now_s_ = start_s;
    choose_held();
    forward_s_ = 0;
    const uint64_t n_accepted_before = stats_.n_accepted;
    const step_plan & plan = scheduler_.plan(now_s_);
    bool intact = true;
    for (const lane_change & change : plan.changes) {
        intact = apply(change) && intact;
    }
    if (plan.slices.empty()) {
        publish();
        return;
    }
    if (plan.n_prefill > 0) {
        tell_beginnings(plan);
    }
    turning_ = plan.turns;
    int begin = 0;
    for (const int pass_end : plan.pass_ends) {
        if (intact) {  // else somebody has more to compute than was planned: plan again
            run_pass(plan.slices.data() + begin, pass_end - begin);
        }
        begin = pass_end;
    }

    if (shape_.n_window > 0) {  // which cells went is upstream's choice, made in the pass
        for (int lane = 0; lane < shape_.n_lanes; ++lane) {
            if (ledger_.n_tokens(lane) > 0) {
                ledger_.set_least(lane, forward_->least_prefix(lane));
            }
        }
    }
    if (plan.n_prefill == 0 && !plan.turns) {
        scheduler_.step_took(forward_s_, static_cast<int>(stats_.n_accepted - n_accepted_before));
    }
    const double end_s = clock_s();
    const auto n_passes = static_cast<int>(plan.pass_ends.size());
    stats_.n_steps.fetch_add(1);
    stats_.n_parked.fetch_add(plan.parked.size());
    stats_.n_decode_rows.fetch_add(static_cast<uint64_t>(plan.n_decode));
    stats_.n_prefill_rows.fetch_add(static_cast<uint64_t>(plan.n_prefill));
    stats_.forward_s = stats_.forward_s + forward_s_;
    stats_.busy_s = stats_.busy_s + end_s - start_s;
    stats_.step.add(end_s - start_s);
    stats_.rows_per_step.add(plan.n_decode + plan.n_prefill + plan.n_drafted);
    if (plan.n_prefill > 0) {
        stats_.prefill_rows_per_step.add(plan.n_prefill);
    }
    trace_.add({start_s, forward_s_, end_s, plan.n_decode, plan.n_prefill, n_passes, scheduler_.n_waiting()});
    if (options_.check_integrity) {
        std::string why;
        if (!scheduler_.check_integrity(why)) {
            throw error(errc::internal, "after a step: " + why);
        }
    }
    publish();
}

// Tells callers what happened; whoever reads the stats upon that finds it counted.
void engine::publish() {
    stats_.n_waiting = scheduler_.n_waiting();
    stats_.n_running = scheduler_.n_running();
    stats_.n_cells_used = ledger_.n_used();
    if (scheduler_.n_running() != n_running_before_) {  // costs a look at every lane
        n_running_before_ = scheduler_.n_running();
        n_cells_cached_ = ledger_.n_evictable();
    }
    stats_.n_cells_running = ledger_.n_used() - n_cells_cached_;
    outbox_.put(told_);
}

// False when the cells of its lanes were lost on the way.
bool engine::apply(const lane_change & change) {
    const double start_s = clock_s();
    try {
        forward_->apply(change);
    } catch (const error &) {
        // The lanes' cells are lost: whoever runs there computes them again.
        for (const int lane : {change.lane, change.what == lane_change::kind::trim ? -1 : change.other}) {
            if (lane < 0) {
                continue;
            }
            forward_->apply({lane_change::kind::trim, lane, -1, 0, 0});
            ledger_.truncate(lane, 0);
            for (sequence * s : scheduler_.running()) {
                if (s->lane == lane) {
                    scheduler_.lost(s);
                }
            }
        }
        return false;
    }
    if (change.what == lane_change::kind::swap || change.what == lane_change::kind::copy) {
        stats_.n_moved.fetch_add(1);
        const int n = ledger_.n_tokens(change.lane) +
                      (change.what == lane_change::kind::swap ? ledger_.n_tokens(change.other) : 0);
        scheduler_.copied(n, clock_s() - start_s);
    }
    return true;
}

void engine::run_pass(const slice * slices, int n) {
    const pass_size size = scheduler_.size_of(slices, n);
    const double start_s = clock_s();
    for (int i = 0; masks_ && i < n; ++i) {
        if (slices[i].of->bounds && slices[i].n_outputs > 0) {
            slices[i].of->bounds->prepare(*masks_);
        }
    }
    const pass_status status = forward_->run(slices, n);
    if (status == pass_status::done) {
        forward_->logits(0);  // the pass has ended when its results are here
    }
    now_s_ = clock_s();
    forward_s_ += now_s_ - start_s;
    stats_.n_passes.fetch_add(1);
    switch (status) {
        case pass_status::done: {
            const bool all_output =
                std::all_of(slices, slices + n, [](const slice & of) { return of.n_outputs == of.n_tokens; });
            if (!turning_) {
                (all_output ? cost_.decode : cost_.prefill).observe(size, now_s_ - start_s);
            }
            turning_ = false;
            (all_output ? stats_.n_decode_workers : stats_.n_prefill_workers) = forward_->n_workers();
            choice_.choose(*forward_, slices, n);
            for (int i = 0; i < n; ++i) {
                advance(slices[i]);
            }
            break;
        }
        case pass_status::aborted: break;  // the engine is being closed; obey() ends everyone
        case pass_status::out_of_cells:
        case pass_status::failed:
            stats_.n_failed_passes.fetch_add(1);
            fail_pass(slices, n, failed_pass(*forward_, slices, n));
            break;
    }
}

// Computes each sequence of the failed pass anew, one by one: only those that fail alone end.
void engine::fail_pass(const slice * slices, int n, const error & why) {
    for (int i = 0; i < n; ++i) {
        sequence & s = *slices[i].of;
        forward_->apply({lane_change::kind::trim, s.lane, -1, 0, 0});
        scheduler_.lost(&s);
    }
    if (n == 1) {
        end(*slices[0].of, finish_reason::failed, why);
        return;
    }
    for (int i = 0; i < n; ++i) {
        sequence & s = *slices[i].of;
        s.drafts.clear();
        while (s.n_left() > 1 || (slices[i].n_outputs > 0 && s.n_left() == 1)) {
            const int n_most = std::min(s.n_left(), options_.schedule.max_rows);
            const int n_rows = s.ask.deterministic ? s.n_fixed_rows(scheduler_.fixed_piece())
                                                   : s.n_rows_within(n_most, options_.schedule.max_outputs);
            const slice alone{&s, n_rows, s.n_outputs(n_rows)};
            if (forward_->run(&alone, 1) != pass_status::done) {
                forward_->apply({lane_change::kind::trim, s.lane, -1, 0, 0});
                scheduler_.lost(&s);
                end(s, finish_reason::failed, failed_pass(*forward_, &alone, 1));
                break;
            }
            choice_.choose(*forward_, &alone, 1);
            const bool last = n_rows == s.n_left() || s.not_chosen;
            advance(alone);
            if (last) {
                break;
            }
        }
    }
}

}  // namespace jan
