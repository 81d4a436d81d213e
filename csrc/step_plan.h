// What one step of the engine does: first to the cache, then through the model.
#pragma once

#include <vector>

namespace jan {

struct sequence;

// A change to the cache, in the order given.
struct lane_change {
    enum class kind : int {
        trim,   // keep the first n tokens of `lane`
        copy,   // `lane`, which is empty, gets the first n of `other`
        swap,   // `lane` and `other` trade everything
        shift,  // drop n tokens after the first n_keep of `lane` and move the rest down
    };
    kind what;
    int lane;
    int other;
    int n;
    int n_keep;
};

// The next n_tokens of one sequence; the logits of its last n_outputs rows are wanted.
struct slice {
    sequence * of;
    int n_tokens;
    int n_outputs;
};

// The forward passes of a step, each at most one physical batch, its slices sorted by lane.
// Reused from step to step so that its memory is allocated once.
struct step_plan {
    std::vector<lane_change> changes;
    std::vector<slice> slices;
    std::vector<int> pass_ends;  // slices [previous end, end) are one pass
    std::vector<sequence *> parked;
    int n_decode = 0;    // rows of sequences that generate
    int n_prefill = 0;   // rows of prompts
    int n_drafted = 0;   // rows of guesses
    bool turns = false;  // to other adapters than the last step's: the first pass prepares for them

    bool empty() const { return slices.empty(); }

    void clear() {
        changes.clear();
        slices.clear();
        pass_ends.clear();
        parked.clear();
        n_decode = n_prefill = n_drafted = 0;
        turns = false;
    }
};

}  // namespace jan
