// From the rows of a pass to what callers are told: the engine's dealings with tokens.
#include "engine.h"

#include <algorithm>

namespace jan {

namespace {

constexpr double least_held_s = 0.001;

}  // namespace

// Afterwards `done.of` may have ended.
void engine::advance(const slice & done) {
    sequence & s = *done.of;
    const int n_of_prompt = std::min(done.n_tokens, std::max(0, s.n_prompt() - s.n_computed));
    s.n_evaluated += s.truncated ? 0 : n_of_prompt;
    stats_.n_prompt_tokens.fetch_add(static_cast<uint64_t>(n_of_prompt));
    const bool ends = done.n_tokens >= s.n_left();  // and does so even if its cells are lost below
    const int n_drafted = std::max(0, done.n_tokens - s.n_left());
    const int n_right = std::clamp(static_cast<int>(s.chosen.size()) - 1, 0, n_drafted);
    scheduler_.computed({&s, done.n_tokens - n_drafted + n_right, done.n_outputs});
    if (n_right < n_drafted) {
        apply({lane_change::kind::trim, s.lane, -1, s.n_computed, 0});
    }
    if (n_drafted > 0) {
        scheduler_.guessed(s, n_drafted, n_right);
    }
    if (s.ask.progress && s.ask.stream && s.made.empty()) {
        tell_progress(s);
    }
    s.n_drafted += n_drafted;
    stats_.n_drafted.fetch_add(static_cast<uint64_t>(n_drafted));
    if ((s.not_chosen || ends) && s.held_row.empty()) {
        take_tokens(s);
    }
}

// Goes on with what grammars have not worked out yet, for at most half of what the last pass took:
// whoever waits for it sits out the steps until then, and the others lose no more than that.
void engine::choose_held() {
    std::vector<sequence *> held;
    for (sequence * s : scheduler_.running()) {
        if (!s->held_row.empty()) {
            held.push_back(s);
        }
    }
    if (!held.empty()) {  // whoever was left out the last time comes first
        std::rotate(held.begin(), held.begin() + static_cast<long>(stats_.n_steps % held.size()), held.end());
    }
    const double end_s = now_s_ + std::max(least_held_s, forward_s_ / 2);
    while (!held.empty()) {
        std::vector<sequence *> left;
        for (sequence * s : held) {
            if (s->n_left() > 0) {  // its cells were lost: the row is computed again
                s->held_row.clear();
            } else if (choice_.choose_held(*s)) {
                now_s_ = clock_s();
                take_tokens(*s);
            } else {
                left.push_back(s);
            }
            if (clock_s() >= end_s) {
                return;
            }
        }
        held.swap(left);
    }
}

void engine::take_tokens(sequence & s) {
    const bool first = s.made.empty();
    if (first) {
        s.first_token_s = now_s_;
        stats_.prefill.add(now_s_ - s.started_s);
        stats_.queue.add(s.started_s - s.arrived_s);
        stats_.first_token.add(now_s_ - s.arrived_s);
        stats_.n_cached_tokens.fetch_add(static_cast<uint64_t>(s.n_cached));
    }
    if (s.ask.max_tokens == 0 && !s.not_chosen) {
        end(s, finish_reason::length);
        return;
    }
    const size_t n = s.chosen.size();
    for (size_t i = 0; i < n; ++i) {
        if (i > 0 || !first) {
            stats_.token_gap.add(now_s_ - s.last_token_s);
        }
        s.last_token_s = now_s_;
        if (i < s.drafts.size() && s.drafts[i] == s.chosen[i]) {
            ++s.n_accepted;
            stats_.n_accepted.fetch_add(1);
        }
        std::optional<finish_reason> reason = take_token(s, s.chosen[i]);
        if (s.bounds && i + 1 == n && s.bounds->finished()) {
            reason = finish_reason::stop;
        }
        if (reason) {
            // What was chosen after the last token never comes.
            s.logprobs.resize(s.logprobs.size() - (n - 1 - i) * static_cast<size_t>(s.ask.n_top + 1));
            end(s, *reason);
            return;
        }
    }
    if (s.not_chosen) {
        end(s, finish_reason::failed, *s.not_chosen);
        return;
    }
    if (s.ask.stream) {
        tell(s);
    }
}

// The next of its tokens, and whether it is the last.
std::optional<finish_reason> engine::take_token(sequence & s, token chosen) {
    s.tokens.push_back(chosen);
    s.made.push_back(chosen);
    if ((pieces_->ends_generation(chosen) && !s.ask.ignore_eos) || s.ruler.ends(chosen)) {
        return finish_reason::stop;
    }
    const bool shown = std::find(s.ask.shown.begin(), s.ask.shown.end(), chosen) != s.ask.shown.end();
    const std::string_view bytes = shown ? pieces_->special(chosen) : pieces_->bytes(chosen);
    const size_t n_kept = s.lines.take(bytes);
    if (s.text.add(bytes.substr(0, n_kept))) {
        return finish_reason::stop;
    }
    if (n_kept < bytes.size() || s.lines.over(now_s_ - s.first_token_s)) {
        return finish_reason::length;
    }
    if (s.ask.max_tokens > 0 && static_cast<int>(s.made.size()) >= s.ask.max_tokens) {
        return finish_reason::length;
    }
    if (static_cast<int>(s.tokens.size()) > shape_.n_ctx) {
        if (!s.ask.shift_context || !scheduler_.shift(&s, forward_->can_shift(s.lane))) {
            return finish_reason::length;
        }
        stats_.n_shifted.fetch_add(1);
    }
    return std::nullopt;
}

// What became safe to show since the last event, if anything did.
void engine::tell(sequence & s) {
    const std::string_view text = s.text.take();
    if (text.empty()) {
        return;
    }
    event e;
    e.request = s.ask.id;
    e.text = told_.add_text(text);
    e.tokens = event_batch::add(told_.tokens, s.made.data() + s.n_told, s.made.size() - s.n_told);
    e.logprobs = event_batch::add(told_.logprobs, s.logprobs.data(), s.logprobs.size());
    s.scores.tell(e, told_);
    s.n_told = s.made.size();
    s.logprobs.clear();
    told_.events.push_back(e);
}

// Before the first pass over a prompt, which may take long.
void engine::tell_beginnings(const step_plan & plan) {
    for (const slice & of : plan.slices) {
        sequence & s = *of.of;
        if (s.ask.progress && s.ask.stream && !s.progress_begun) {
            s.progress_begun = true;
            tell_progress(s);
        }
    }
    if (!told_.empty()) {
        outbox_.put(told_);
    }
}

void engine::tell_progress(const sequence & s) {
    event e;
    e.request = s.ask.id;
    e.progress = {s.n_cached, std::min(s.n_computed, s.n_prompt()), now_s_ - s.started_s};
    told_.events.push_back(e);
}

void engine::end(sequence & s, finish_reason reason, const error & failure) {
    s.text.finish();
    event e;
    e.request = s.ask.id;
    e.text = told_.add_text(s.text.take());
    e.tokens = event_batch::add(told_.tokens, s.made.data() + s.n_told, s.made.size() - s.n_told);
    e.logprobs = event_batch::add(told_.logprobs, s.logprobs.data(), s.logprobs.size());
    s.scores.tell(e, told_);
    e.ending = static_cast<int32_t>(told_.endings.size());
    told_.endings.push_back({reason, s.used(now_s_), s.text.stop_found(), failure});
    told_.events.push_back(e);

    stats_.n_finished.fetch_add(1);
    stats_.n_cancelled.fetch_add(reason == finish_reason::cancelled ? 1 : 0);
    stats_.n_failed.fetch_add(reason == finish_reason::failed ? 1 : 0);
    mean_request_s_ = mean_request_s_ + 0.1 * (now_s_ - s.arrived_s - mean_request_s_);
    n_open_.fetch_sub(1);
    scheduler_.retire(&s);
    sequences_.erase(s.ask.id);  // s is gone
}

void engine::end_all(finish_reason reason, const error & failure) {
    while (!sequences_.empty()) {
        end(*sequences_.begin()->second, reason, failure);
    }
}

}  // namespace jan
