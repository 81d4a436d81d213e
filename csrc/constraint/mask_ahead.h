// A thread that works out what may come next while the forward pass runs, where a core is idle
// then: the state is known before the logits are.
#pragma once

#include "constraint/grammar_automaton.h"

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace jan {

class mask_ahead {
  public:
    mask_ahead();
    ~mask_ahead();
    mask_ahead(const mask_ahead &) = delete;
    mask_ahead & operator=(const mask_ahead &) = delete;

    // Whoever needs the mask before it is there waits for it, or makes it himself.
    void want(std::shared_ptr<grammar_automaton> automaton, int32_t state);

  private:
    void run();

    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<std::pair<std::shared_ptr<grammar_automaton>, int32_t>> wanted_;
    bool stop_ = false;
    std::thread thread_;  // last: everything else exists when it starts
};

}  // namespace jan
