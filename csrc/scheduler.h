// Decides what each step computes: who gets a lane, who decodes, whose prompt goes on and how
// far, who gives way when cells run out. Sees neither the model nor its memory.
#pragma once

#include "cost_model.h"
#include "kv_ledger.h"
#include "sequence.h"
#include "speculation/draft_plan.h"
#include "step_plan.h"

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace jan {

struct scheduler_options {
    int max_rows = 512;         // of one pass
    int max_outputs = 512;      // of them, those whose logits are wanted
    double pass_limit_s = 2;    // a pass of prompts alone is cut to this where more rows do not pay
    double token_gap_s = 0.01;  // between two tokens of a stream, prompts may always take this much
    double slowdown = 2.5;      // or this multiple of the step in which all decode
    double patience_s = 5;      // waiting this long counts as much as being half as long
    double turn_s = 0.05;       // adapters that others wait for give way after this
    int min_shared = 32;        // waiting for another's prefix pays from this many tokens
    bool speculation = true;    // where decoding leaves time, guess ahead
};

// What passes cost: those of decoding streams alone, and those with rows of prompts.
struct pass_costs {
    cost_model decode;
    cost_model prefill;
};

// For one thread. Does not own the sequences: each submitted one is retired by its owner.
class scheduler {
  public:
    scheduler(const scheduler_options & options, kv_ledger & ledger, pass_costs & cost);

    void submit(sequence * s) { waiting_.push_back(s); }

    // It has ended: its lane is free from the next plan on.
    void retire(sequence * s);

    // What to do now. Empty only when nothing can run: nobody waits, or the lanes of all are
    // to be emptied first, which the next plan finds done.
    const step_plan & plan(double now_s);

    // The rows of a slice are in the cache now.
    void computed(const slice & done);

    // The sequence's cells are lost (its lane was emptied by the owner): compute it anew.
    void lost(sequence * s);

    // n guesses were computed for it, of which the first n_right came.
    void guessed(const sequence & s, int n, int n_right);
    // What a step without prompts took, and how many of its guesses came.
    void step_took(double seconds, int n_right);

    // Makes room in a lane that reached its context: true when the sequence can go on.
    bool shift(sequence * s, bool movable);

    void copied(int n_tokens, double seconds);  // what a move of cells took, for later choices

    // How long to wait for others when the first request comes: little of what its prompt takes.
    double gather_s() const;

    // Rows of a prompt's piece that is cut alike whatever else there is to compute: as few as any prompt's
    // that needs a pass of its own, so that others wait no longer for it.
    int fixed_piece() const;

    // What a pass of these slices computes and reads, for the cost model.
    pass_size size_of(const slice * slices, int n) const;

    int n_waiting() const { return static_cast<int>(waiting_.size()); }
    int n_running() const { return static_cast<int>(running_.size()); }
    bool idle() const { return waiting_.empty() && running_.empty(); }
    const std::vector<sequence *> & waiting() const { return waiting_; }
    const std::vector<sequence *> & running() const { return running_; }

    // The ledger's integrity, and that lanes and sequences agree about each other.
    bool check_integrity(std::string & why) const;

  private:
    void admit(double now_s);
    sequence * next_waiting(double now_s);
    bool must_follow(sequence * s, int n_found);
    void give_lane(sequence * s, const prefix_match & match, double now_s);
    void order_by_turn(std::vector<sequence *> & of, double now_s) const;
    void choose_adapters(double now_s, bool at_once);
    bool is_served(const sequence * s) const { return equal(s->ask.adapters.get(), served_.get()); }
    void plan_decode();
    void plan_prefill(double now_s);
    void limit_alone();
    int prefill_rows(int depth, double now_s) const;
    double gap_limit(double now_s) const;
    void plan_drafts();
    double seconds_with(const std::vector<int> & n_guesses);
    double decode_seconds(pass_size size) const;
    bool make_room(int64_t n_cells, const sequence * for_whom);
    void park(sequence * s);
    void empty_lane(int lane);
    void close_lanes();
    void form_passes(std::vector<slice> & slices, std::vector<int> & ends) const;

    scheduler_options options_;
    kv_ledger & ledger_;
    pass_costs & cost_;
    std::vector<sequence *> waiting_;
    std::vector<sequence *> running_;   // oldest first
    std::vector<sequence *> order_;     // scratch
    std::vector<lane_change> pending_;  // changes decided between two plans
    step_plan plan_;
    std::shared_ptr<const adapter_set> served_;  // whose turn it is
    double turn_began_s_ = 0;
    bool others_decode_ = false;  // streams with other adapters wait for their turn
    uint64_t n_admitted_ = 0;
    std::map<std::string, uint64_t> last_turn_;  // of each caller with a request here
    double scattered_s_ = 0;                     // lost so far to decoding lanes that are not neighbours
    double copy_token_s_ = 1e-5;
    draft_plan drafts_;
    draft_purse purse_;
    std::vector<slice> trial_;  // scratch
    std::vector<int> trial_ends_;
    const std::function<double(const std::vector<int> &)> seconds_with_ = [this](const auto & n_guesses) {
        return seconds_with(n_guesses);
    };
};

}  // namespace jan
