// How many cores this process could have: those that are idle, and what it uses itself.
#pragma once

#include <cstdint>
#include <string>

namespace jan {

// Time that the processors which this process may run on were idle since the machine's start, in clock ticks,
// as a file like /proc/stat has it; -1 where there is none. `is_ours` says of a processor whether it counts.
int64_t idle_ticks(const std::string & stat, bool (*is_ours)(int cpu));

// For one thread.
class free_cores {
  public:
    free_cores();

    // Cores since the last call, idle ones and those that this process used, up to how many it may run on.
    // -1 where the system does not tell: Linux does. Within less than a few clock ticks, the last answer.
    double read();

  private:
    double wall_s_ = 0;
    double own_s_ = 0;
    int64_t idle_ = -1;
    double last_ = -1;
};

// Seconds that the calling thread was on a core; -1 where the system does not tell.
double thread_on_core_s();

}  // namespace jan
