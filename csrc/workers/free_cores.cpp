#include "workers/free_cores.h"

#include <chrono>
#include <fstream>
#include <sstream>

#ifdef __unix__
#    include <ctime>
#    include <unistd.h>
#endif
#ifdef __linux__
#    include <sched.h>
#endif

namespace jan {

namespace {

constexpr double least_s = 0.1;  // some ten ticks

double clock_s() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

#if defined(__unix__) || defined(__APPLE__)
double cpu_clock_s(clockid_t which) {
    timespec at{};
    if (clock_gettime(which, &at) != 0) {
        return -1;
    }
    return static_cast<double>(at.tv_sec) + 1e-9 * static_cast<double>(at.tv_nsec);
}
#endif

bool may_run_on(int cpu) {
#ifdef __linux__
    cpu_set_t allowed;
    CPU_ZERO(&allowed);
    return sched_getaffinity(0, sizeof(allowed), &allowed) != 0 ||
           (cpu < CPU_SETSIZE && CPU_ISSET(cpu, &allowed));
#else
    return cpu >= 0;
#endif
}

}  // namespace

int64_t idle_ticks(const std::string & stat, bool (*is_ours)(int cpu)) {
    std::ifstream file(stat);
    int64_t found = -1;
    for (std::string line; std::getline(file, line);) {
        std::istringstream words(line);
        std::string name;
        words >> name;
        if (name.compare(0, 3, "cpu") != 0) {
            break;  // they come first
        }
        if (name.size() == 3 || !is_ours(std::stoi(name.substr(3)))) {
            continue;  // of all together, or another's
        }
        int64_t user = 0, nice = 0, system = 0, idle = 0, waits = 0;
        words >> user >> nice >> system >> idle >> waits;
        found = (found < 0 ? 0 : found) + idle + waits;
    }
    return found;
}

free_cores::free_cores() { read(); }

double free_cores::read() {
#ifdef __linux__
    const double wall_s = clock_s();
    if (idle_ >= 0 && wall_s - wall_s_ < least_s) {
        return last_;
    }
    const int64_t idle = idle_ticks("/proc/stat", may_run_on);
    const double own_s = cpu_clock_s(CLOCK_PROCESS_CPUTIME_ID);
    if (idle >= 0 && idle_ >= 0) {
        const double idle_s = static_cast<double>(idle - idle_) / static_cast<double>(sysconf(_SC_CLK_TCK));
        last_ = (idle_s + own_s - own_s_) / (wall_s - wall_s_);
    }
    wall_s_ = wall_s;
    own_s_ = own_s;
    idle_ = idle;
#endif
    return last_;
}

double thread_on_core_s() {
#if defined(__unix__) || defined(__APPLE__)
    return cpu_clock_s(CLOCK_THREAD_CPUTIME_ID);
#else
    return -1;
#endif
}

}  // namespace jan
