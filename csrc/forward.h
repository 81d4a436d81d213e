// The forward pass as the engine sees it: lanes of a cache, slices in, logits out. One
// implementation wraps llama.cpp (llama_forward), one computes nothing (null_forward) and shows
// what the engine itself costs.
#pragma once

#include "kv_ledger.h"
#include "step_plan.h"

#include <string>

namespace jan {

enum class pass_status : int {
    done = 0,
    aborted,       // abort() was called; the pass left nothing in the cache
    out_of_cells,  // the cache had no room, which the ledger should have known; nothing changed
    failed,        // the device failed; the lanes of the pass hold nothing that may be used
};

// For the engine's thread alone, apart from abort().
class forward {
  public:
    forward() = default;
    virtual ~forward() = default;
    forward(const forward &) = delete;
    forward & operator=(const forward &) = delete;

    virtual const kv_shape & shape() const = 0;
    virtual int max_rows() const = 0;     // of one pass
    virtual int max_outputs() const = 0;  // rows of one pass whose logits are kept
    virtual int n_vocab() const = 0;
    virtual bool can_shift(int lane) = 0;  // whether lane_change::shift is possible

    // Computes n slices, sorted by lane and all with equal adapters. The logits they want are rows in the
    // order of the slices.
    virtual pass_status run(const slice * slices, int n) = 0;
    virtual const std::string & failure() const = 0;  // what the last run() that failed said

    // Threads that computed the last pass; 0 where none do. From any thread.
    virtual int n_workers() const { return 0; }

    // Valid until the next run(); rows follow one another, n_vocab() values each. Whoever writes to
    // one puts back what was there.
    virtual float * logits(int row) = 0;

    // A shorter prefix of the lane than this cannot be gone on from: cells that a sliding window
    // had left behind are used for other tokens.
    virtual int least_prefix(int /*lane*/) { return 0; }

    // Throws backend_failure; the lane is then empty.
    virtual void apply(const lane_change & change) = 0;

    // Makes the run() in progress, if any, come back soon. From any thread.
    virtual void abort() = 0;
};

}  // namespace jan
