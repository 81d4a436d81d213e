#include "constraint/mask_ahead.h"

#include "error.h"

namespace jan {

namespace {

constexpr size_t piece = 4096;  // places, about a millisecond

}  // namespace

mask_ahead::mask_ahead() : thread_([this] { run(); }) {}

mask_ahead::~mask_ahead() {
    {
        const std::lock_guard lock(mutex_);
        stop_ = true;
    }
    changed_.notify_one();
    thread_.join();
}

void mask_ahead::want(std::shared_ptr<grammar_automaton> automaton, int32_t state) {
    {
        const std::lock_guard lock(mutex_);
        wanted_.emplace_back(std::move(automaton), state);
    }
    changed_.notify_one();
}

void mask_ahead::run() {
    std::unique_lock lock(mutex_);
    for (;;) {
        changed_.wait(lock, [this] { return stop_ || !wanted_.empty(); });
        if (stop_) {
            return;
        }
        const auto [automaton, state] = std::move(wanted_.back());
        wanted_.pop_back();
        lock.unlock();
        try {
            // In pieces: whoever needs the automaton meanwhile waits for one of them.
            for (mask_purse purse{piece}; !automaton->mask(state, purse);) {
                purse = {piece};
                const std::lock_guard again(mutex_);
                if (stop_) {
                    return;
                }
            }
        } catch (const error &) {
            // It is thrown again to whoever needs the mask.
        }
        lock.lock();
    }
}

}  // namespace jan
