// The two ways between callers and the engine's thread: commands in, batches of events out.
// Any thread may use either; nobody holds a lock while it works.
#pragma once

#include "event.h"
#include "request.h"
#include "sampling/sampler.h"

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

namespace jan {

struct command {
    enum class kind : int { submit, cancel, drain, abort };
    kind what;
    uint64_t id = 0;                               // for cancel
    request ask;                                   // for submit
    std::unique_ptr<sampler> chooser = nullptr;    // for submit; null: the most likely token
    std::unique_ptr<constraint> bounds = nullptr;  // for submit; null: any text
};

class inbox {
  public:
    // False when nobody will take it any more.
    bool put(command c);

    // Moves what has come into `into` (emptied first). It blocks up to wait_s until there is
    // something, and then gather_s longer: who comes in a burst is taken together. With a wait_s of
    // 0 it costs one atomic read when there is nothing.
    void take(std::vector<command> & into, double wait_s, double gather_s = 0);

    // Moves what nobody took into `into`; from now on nothing can be put.
    void close(std::vector<command> & into);

  private:
    std::atomic<bool> filled_{false};
    std::mutex mutex_;
    std::condition_variable ready_;
    std::vector<command> commands_;
    bool closed_ = false;
};

// A reader that is slow finds more events in one batch, in order; none is lost.
class outbox {
  public:
    // The events become visible at once, a waiting reader wakes, and `from` is empty again.
    void put(event_batch & from);

    // No more events come. Readers get what is left, then false.
    void close();

    // Swaps the events so far for an empty batch with memory of its own. False when closed and
    // empty; an empty batch after timeout_s without events.
    bool take(event_batch & into, double timeout_s);

  private:
    std::mutex mutex_;
    std::condition_variable ready_;
    event_batch batch_;
    bool closed_ = false;
};

}  // namespace jan
