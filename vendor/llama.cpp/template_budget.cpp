#include "template_budget.h"

#include <cstdint>
#include <ctime>
#include <stdexcept>

namespace jan_template {

namespace {

constexpr std::size_t max_needle = 4096;
constexpr unsigned steps_per_look_at_the_clock = 256;
constexpr std::size_t bytes_per_look_at_the_clock = 64 * 1024;

struct child {
    std::weak_ptr<void> value;
    void (*empty)(void *);
};

struct account {
    budget * owner = nullptr;
    allowance left{};
    std::uintptr_t begin = 0;  // of the stack, where the budget was made
    double deadline = 0;
    unsigned n_steps = 0;
    const char * spent = nullptr;
    std::vector<child> made;
};

struct grave {
    void * value;
    void (*destroy)(void *);
};

thread_local account now;
thread_local std::vector<grave> graves;
thread_local bool is_burying = false;

double processor_seconds() {
#ifdef CLOCK_THREAD_CPUTIME_ID
    timespec t{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
#else
    return static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
#endif
}

bool is_too_deep() {
    char here = 0;
    const std::uintptr_t at = reinterpret_cast<std::uintptr_t>(&here);
    return (at > now.begin ? at - now.begin : now.begin - at) > now.left.n_stack;
}

void step(std::size_t n_bytes) {
    const bool is_time =
        ++now.n_steps % steps_per_look_at_the_clock == 0 || n_bytes >= bytes_per_look_at_the_clock;
    if (now.spent == nullptr && is_too_deep()) {
        now.spent = "the template nests too deep";
    } else if (now.spent == nullptr && is_time && processor_seconds() > now.deadline) {
        now.spent = "the template takes too long";
    }
    if (now.spent != nullptr) {
        throw std::runtime_error(now.spent);
    }
}

void subtract(std::size_t & from, std::size_t n, const char * why) {
    if (n > from) {
        now.spent = now.spent ? now.spent : why;
        throw std::runtime_error(now.spent);
    }
    from -= n;
}

}  // namespace

budget::budget(const allowance & given) : outer_(now.owner) {
    if (outer_) {
        return;  // the outer one holds
    }
    char here = 0;
    now.owner = this;
    now.left = given;
    now.begin = reinterpret_cast<std::uintptr_t>(&here);
    now.deadline = processor_seconds() + given.n_seconds;
}

budget::~budget() {
    if (outer_) {
        return;
    }
    for (const child & one : now.made) {
        if (const auto alive = one.value.lock()) {
            one.empty(alive.get());
        }
    }
    now = {};
}

bool budget::is_spent() const { return now.spent != nullptr; }

void take(std::size_t n_bytes) {
    if (now.owner) {
        step(n_bytes);
        subtract(now.left.n_bytes, n_bytes, "the template makes too much text");
        subtract(now.left.n_values, 1, "the template makes too many values");
    }
}

void take_text(std::size_t n_bytes) {
    if (now.owner) {
        step(n_bytes);
        subtract(now.left.n_bytes, n_bytes, "the template makes too much text");
    }
}

void take_look(std::size_t n_bytes) {
    if (now.owner) {
        step(n_bytes);
        subtract(now.left.n_read, n_bytes, "the template reads too much text");
    }
}

void check_needle(std::size_t n_bytes) {
    if (now.owner && n_bytes > max_needle) {
        now.spent = "the template searches for too long a text";
        throw std::runtime_error(now.spent);
    }
}

void bury(void * value, void (*destroy)(void *)) {
    now.left.n_values++;
    if (is_burying) {
        graves.push_back({value, destroy});
        return;
    }
    is_burying = true;
    destroy(value);
    while (!graves.empty()) {
        const grave next = graves.back();
        graves.pop_back();
        next.destroy(next.value);
    }
    is_burying = false;
}

void remember(std::weak_ptr<void> value, void (*empty)(void *)) {
    if (now.owner) {
        now.made.push_back({std::move(value), empty});
    }
}

}  // namespace jan_template
