#include "scheduler.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace jan {

namespace {

constexpr int reserve_per_stream = 16;    // cells kept free for each running stream at admission
constexpr int least_rows = 8;             // of a prompt that rides along in a pass
constexpr int worth_a_pass = 64;          // rows of a prompt that needs a pass of its own and does not end
constexpr double alike_per_doubling = 4;  // classes of prompt lengths
constexpr size_t looked_at = 256;         // of those that wait, at each admission

bool younger(const sequence * a, const sequence * b) { return a->admitted > b->admitted; }

}  // namespace

scheduler::scheduler(const scheduler_options & options, kv_ledger & ledger, pass_costs & cost)
    : options_(options), ledger_(ledger), cost_(cost) {}

void scheduler::empty_lane(int lane) {
    if (ledger_.n_tokens(lane) > 0) {
        ledger_.truncate(lane, 0);
        pending_.push_back({lane_change::kind::trim, lane, -1, 0, 0});
    }
}

void scheduler::retire(sequence * s) {
    waiting_.erase(std::remove(waiting_.begin(), waiting_.end(), s), waiting_.end());
    const auto found = std::find(running_.begin(), running_.end(), s);
    if (found == running_.end()) {
        return;
    }
    running_.erase(found);
    if (idle() || last_turn_.size() > 4096) {
        last_turn_.clear();  // callers come and go
    }
    if (ledger_.release(s->lane)) {
        pending_.push_back({lane_change::kind::trim, s->lane, -1, 0, 0});
    }
    s->lane = -1;
}

void scheduler::lost(sequence * s) {
    ledger_.truncate(s->lane, 0);
    s->n_computed = 0;
}

void scheduler::park(sequence * s) {
    running_.erase(std::find(running_.begin(), running_.end(), s));
    if (ledger_.release(s->lane)) {
        pending_.push_back({lane_change::kind::trim, s->lane, -1, 0, 0});
    }
    s->lane = -1;
    s->n_computed = 0;
    ++s->n_parked;
    waiting_.insert(waiting_.begin(), s);
    plan_.parked.push_back(s);
}

// Frees cells for `for_whom`: caches first, then the youngest running sequence but itself.
bool scheduler::make_room(int64_t n_cells, const sequence * for_whom) {
    while (ledger_.n_free() < n_cells) {
        const int cached = ledger_.oldest_idle_lane();
        if (cached >= 0) {
            empty_lane(cached);
            continue;
        }
        const auto youngest = std::min_element(running_.begin(), running_.end(), younger);
        if (youngest == running_.end() || *youngest == for_whom ||
            (for_whom && younger(for_whom, *youngest))) {
            return false;
        }
        park(*youngest);
    }
    return true;
}

bool scheduler::shift(sequence * s, bool movable) {
    const int n_computed = s->n_computed;
    const int n_keep = std::min(s->ask.n_keep, n_computed / 2);
    const int n_drop = (n_computed - n_keep) / 2;
    if (n_drop <= 0) {
        return false;
    }
    s->tokens.erase(s->tokens.begin() + n_keep, s->tokens.begin() + n_keep + n_drop);
    if (s->guesses) {
        s->guesses->forget();
    }
    s->truncated = true;
    if (movable && !ledger_.shares_cells(s->lane)) {
        ledger_.shift(s->lane, n_keep, n_drop);
        pending_.push_back({lane_change::kind::shift, s->lane, -1, n_drop, n_keep});
        s->n_computed -= n_drop;
    } else {  // another lane has the same cells: compute the rest anew at its new place
        ledger_.truncate(s->lane, n_keep);
        pending_.push_back({lane_change::kind::trim, s->lane, -1, n_keep, 0});
        s->n_computed = n_keep;
    }
    return true;
}

void scheduler::computed(const slice & done) {
    sequence * s = done.of;
    const int n_known = std::min(done.n_tokens, s->n_left());
    ledger_.append(s->lane, s->tokens.data() + s->n_computed, n_known);
    ledger_.append(s->lane, s->drafts.data(), done.n_tokens - n_known);
    s->n_computed += done.n_tokens;
}

void scheduler::copied(int n_tokens, double seconds) {
    if (n_tokens > 0) {
        copy_token_s_ += 0.25 * (seconds / n_tokens - copy_token_s_);
    }
}

const step_plan & scheduler::plan(double now_s) {
    plan_.clear();
    plan_.changes.swap(pending_);
    pending_.clear();
    for (sequence * s : running_) {
        s->drafts.clear();
    }
    choose_adapters(now_s, false);
    close_lanes();
    admit(now_s);
    if (!plan_.turns) {  // who was admitted may be the first with these
        choose_adapters(now_s, false);
    }
    plan_decode();
    plan_prefill(now_s);
    if (plan_.slices.empty() && !running_.empty()) {  // those whose turn it is wait for cells of others
        choose_adapters(now_s, true);
        plan_decode();
        plan_prefill(now_s);
    }
    plan_drafts();
    form_passes(plan_.slices, plan_.pass_ends);
    plan_.changes.insert(plan_.changes.end(), pending_.begin(), pending_.end());
    pending_.clear();
    return plan_;
}

// Callers take turns, whoever had none for longest first; each with its shortest prompt first,
// where having waited makes a prompt shorter.
void scheduler::order_by_turn(std::vector<sequence *> & of, double now_s) const {
    // Lengths that differ little count as equal, and equals go by lane: prompts of one length in
    // neighbouring lanes share a pass.
    std::map<const sequence *, std::pair<double, int>> length;
    for (const sequence * s : of) {
        const double waited_s = std::max(0.0, now_s - s->arrived_s);
        const int n_left = std::max(1, s->n_left() - s->found.n_tokens);
        const double doublings = std::log2(n_left) - waited_s / options_.patience_s;
        length[s] = {std::floor(alike_per_doubling * doublings), s->lane};
    }
    std::stable_sort(of.begin(), of.end(),
                     [&](const sequence * a, const sequence * b) { return length[a] < length[b]; });
    std::map<std::string, uint64_t> turns;
    std::map<const sequence *, std::pair<uint64_t, uint64_t>> turn;  // of the caller's, and its last
    for (const sequence * s : of) {
        const auto last = last_turn_.find(s->ask.caller);
        turn[s] = {turns[s->ask.caller]++, last == last_turn_.end() ? 0 : last->second};
    }
    if (turns.size() > 1) {
        std::stable_sort(of.begin(), of.end(),
                         [&](const sequence * a, const sequence * b) { return turn[a] < turn[b]; });
    }
}

// True while a running sequence is computing more of this one's prefix than the cache has.
bool scheduler::must_follow(sequence * s, int n_found) {
    if (!s->ask.cache_prompt || !ledger_.shape().can_truncate) {
        return false;
    }
    const int most = s->n_reusable();
    for (const sequence * other : running_) {
        if (other->n_left() <= 1 || !other->ask.cache_prompt || other->ask.cache_salt != s->ask.cache_salt) {
            continue;
        }
        const int n = std::min(most, static_cast<int>(other->tokens.size()));
        const auto end = std::mismatch(s->tokens.begin(), s->tokens.begin() + n, other->tokens.begin()).first;
        const int common = static_cast<int>(end - s->tokens.begin());
        if (common > other->n_computed && common >= n_found + options_.min_shared) {
            s->leader = other->ask.id;
            s->n_wanted = common;
            return true;
        }
    }
    return false;
}

void scheduler::admit(double now_s) {
    if (waiting_.empty() || ledger_.idle_lane() < 0) {
        return;
    }
    // What the cache has of each decides the order too: whoever finds most comes before another
    // takes that lane. Far back in a long queue nobody is looked at yet.
    for (size_t i = 0; i < std::min<size_t>(waiting_.size(), looked_at); ++i) {
        sequence * s = waiting_[i];
        s->found = {};
        if (s->ask.cache_prompt) {
            s->found = ledger_.longest_prefix(s->tokens, s->n_reusable(), s->ask.cache_salt);
        }
    }
    order_ = waiting_;
    // Those that were parked are further on than anyone and go first.
    const auto parked = [](const sequence * s) { return s->n_parked > 0; };
    const auto others = std::stable_partition(order_.begin(), order_.end(), parked);
    std::vector<sequence *> rest(others, order_.end());
    order_by_turn(rest, now_s);
    std::copy(rest.begin(), rest.end(), others);
    for (sequence * s : order_) {
        if (ledger_.idle_lane() < 0) {
            return;
        }
        if (s->leader) {
            const auto leads = [&](const sequence * r) { return r->ask.id == s->leader; };
            const auto leader = std::find_if(running_.begin(), running_.end(), leads);
            if (leader != running_.end() && (*leader)->n_computed < s->n_wanted) {
                continue;
            }
            s->leader = 0;
        }
        prefix_match match;
        if (s->ask.cache_prompt) {
            match = ledger_.longest_prefix(s->tokens, s->n_reusable(), s->ask.cache_salt);
        }
        if (must_follow(s, match.n_tokens)) {
            continue;
        }
        const int64_t n_needed = static_cast<int64_t>(s->tokens.size()) - match.n_tokens +
                                 static_cast<int64_t>(reserve_per_stream) * n_running();
        const int kept = match.n_tokens > 0 && ledger_.idle(match.lane) ? match.lane : -1;
        if (!running_.empty() && ledger_.n_free() < INT64_MAX &&
            ledger_.n_free() + ledger_.n_evictable(kept) < n_needed) {
            return;  // nobody overtakes whoever waits for cells
        }
        give_lane(s, match, now_s);
    }
}

void scheduler::plan_decode() {
    order_.clear();
    for (sequence * s : running_) {
        if (s->n_left() == 1 && is_served(s)) {
            order_.push_back(s);
        }
    }
    limit_alone();
    for (sequence * s : order_) {  // oldest first: the youngest give way
        if (s->lane < 0 || plan_.n_decode == options_.max_rows) {
            continue;
        }
        if (!make_room(plan_.n_decode + 1, s)) {
            park(s);
            continue;
        }
        plan_.slices.push_back({s, 1, 1});
        ++plan_.n_decode;
    }
    // Making room for an older one may have parked a younger one that was already planned.
    const auto gone = [](const slice & planned) { return planned.of->lane < 0; };
    plan_.slices.erase(std::remove_if(plan_.slices.begin(), plan_.slices.end(), gone), plan_.slices.end());
    plan_.n_decode = static_cast<int>(plan_.slices.size());
}

void scheduler::plan_prefill(double now_s) {
    order_.clear();
    for (sequence * s : running_) {
        if (s->n_left() > 1 && is_served(s)) {
            order_.push_back(s);
        }
    }
    if (order_.empty()) {
        return;
    }
    order_by_turn(order_, now_s);
    int n_rows =
        std::min(prefill_rows(order_.front()->n_computed, now_s), options_.max_rows - plan_.n_decode);
    // Rows whose logits score a prompt; every sequence may want one besides.
    int n_outputs =
        options_.max_outputs < options_.max_rows ? options_.max_outputs - n_running() : options_.max_rows;
    for (sequence * s : order_) {
        if (s->lane < 0 || n_rows <= 0) {
            continue;
        }
        if (s->ask.deterministic) {
            const int n = s->n_fixed_rows(fixed_piece());
            if (plan_.n_prefill > 0 && n > n_rows) {
                continue;  // its piece is not cut; it will come first
            }
            plan_.slices.push_back({s, n, s->n_outputs(n)});
            plan_.n_prefill += n;
            n_rows -= n;
            continue;
        }
        // A little more ends this prompt; a little of the next one is not worth a pass.
        int n = s->n_left() <= n_rows + n_rows / 4 ? s->n_left() : n_rows;
        n = std::min(n, options_.max_rows - plan_.n_decode - plan_.n_prefill);
        const bool own_pass = ledger_.shape().mode == kv_mode::streams;
        const int worth =
            plan_.n_prefill > 0 ? std::min(own_pass ? worth_a_pass : least_rows, s->n_left()) : 0;
        if (n < worth) {
            break;
        }
        n = s->n_rows_within(n, n_outputs);
        if (n < worth) {
            continue;  // scores of others fill the pass, which may have room for a plain prompt
        }
        const int n_planned = plan_.n_decode + plan_.n_prefill;
        // With nothing else to do, the older ones may take cells from the younger.
        if (!make_room(n_planned + n, plan_.empty() ? s : running_.back())) {
            n = static_cast<int>(std::min<int64_t>(n, ledger_.n_free() - n_planned));
        }
        if (n <= 0 || s->lane < 0) {
            continue;
        }
        plan_.slices.push_back({s, n, s->n_outputs(n)});
        n_outputs -= s->scores.complete() ? 0 : plan_.slices.back().n_outputs;
        plan_.n_prefill += n;
        n_rows -= n;
    }
}

void scheduler::form_passes(std::vector<slice> & slices, std::vector<int> & ends) const {
    const auto by_lane = [](const slice & a, const slice & b) { return a.of->lane < b.of->lane; };
    if (slices.empty()) {
        return;
    }
    if (ledger_.shape().mode == kv_mode::unified) {
        std::sort(slices.begin(), slices.end(), by_lane);
        ends.push_back(static_cast<int>(slices.size()));
        return;
    }
    // One buffer per lane: a pass takes neighbouring lanes with equally many rows, or one that is to be
    // alone.
    const auto alone = [](const slice & of) { return of.of->ask.deterministic; };
    std::sort(slices.begin(), slices.end(), [&](const slice & a, const slice & b) {
        if (alone(a) != alone(b)) {
            return alone(b);
        }
        return (a.n_tokens == 1) != (b.n_tokens == 1) ? a.n_tokens == 1 : by_lane(a, b);
    });
    for (size_t i = 1; i <= slices.size(); ++i) {
        if (i == slices.size() || slices[i].n_tokens != slices[i - 1].n_tokens ||
            slices[i].of->lane != slices[i - 1].of->lane + 1 || alone(slices[i]) || alone(slices[i - 1])) {
            ends.push_back(static_cast<int>(i));
        }
    }
}

bool scheduler::check_integrity(std::string & why) const {
    if (!ledger_.check_integrity(why)) {
        return false;
    }
    int n_owned = 0;
    for (int lane = 0; lane < ledger_.shape().n_lanes; ++lane) {
        n_owned += ledger_.idle(lane) ? 0 : 1;
    }
    for (const sequence * s : running_) {
        if (s->lane < 0 || ledger_.owner(s->lane) != s->ask.id ||
            ledger_.n_tokens(s->lane) != s->n_computed) {
            why = "request " + std::to_string(s->ask.id) + " and its lane disagree";
            return false;
        }
    }
    for (const sequence * s : waiting_) {
        if (s->lane >= 0 || s->n_computed != 0) {
            why = "request " + std::to_string(s->ask.id) + " waits and has cells";
            return false;
        }
    }
    if (n_owned != n_running()) {
        why = std::to_string(n_owned) + " lanes owned by " + std::to_string(n_running()) + " sequences";
        return false;
    }
    return true;
}

}  // namespace jan
