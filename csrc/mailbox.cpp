#include "mailbox.h"

#include <chrono>
#include <thread>
#include <utility>

namespace jan {

bool inbox::put(command c) {
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        if (closed_) {
            return false;
        }
        commands_.push_back(std::move(c));
        filled_.store(true, std::memory_order_release);
    }
    ready_.notify_one();
    return true;
}

void inbox::close(std::vector<command> & into) {
    const std::lock_guard<std::mutex> lock(mutex_);
    closed_ = true;
    into.swap(commands_);
    commands_.clear();
}

void inbox::take(std::vector<command> & into, double wait_s, double gather_s) {
    into.clear();
    if (wait_s <= 0 && !filled_.load(std::memory_order_acquire)) {
        return;
    }
    std::unique_lock<std::mutex> lock(mutex_);
    if (wait_s > 0) {
        const std::chrono::duration<double> limit(wait_s);
        const bool came = ready_.wait_for(lock, limit, [&] { return !commands_.empty(); });
        if (came && gather_s > 0) {
            lock.unlock();
            std::this_thread::sleep_for(std::chrono::duration<double>(gather_s));
            lock.lock();
        }
    }
    into.swap(commands_);
    filled_.store(false, std::memory_order_relaxed);
}

void outbox::put(event_batch & from) {
    if (from.empty()) {
        return;
    }
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        if (batch_.empty()) {
            std::swap(batch_, from);
        } else {
            batch_.append(from);
        }
    }
    ready_.notify_one();
    from.clear();
}

void outbox::close() {
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        closed_ = true;
    }
    ready_.notify_all();
}

bool outbox::take(event_batch & into, double timeout_s) {
    into.clear();
    std::unique_lock<std::mutex> lock(mutex_);
    ready_.wait_for(lock, std::chrono::duration<double>(timeout_s),
                    [&] { return closed_ || !batch_.empty(); });
    std::swap(into, batch_);
    return !(closed_ && into.empty());
}

}  // namespace jan
