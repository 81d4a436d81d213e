#include "processors.h"

#include "error.h"

#include "ggml.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <set>
#include <sstream>
#include <thread>
#include <vector>

#ifdef __linux__
#    include <sched.h>
#endif

namespace jan {

namespace {

// One hierarchy of control groups as it is mounted here: the one of version 2, or the one of
// version 1 that counts processor time. A machine may have both.
struct hierarchy {
    bool is_v2;
    std::string root;   // the group that the mount point shows: a container sees its own only
    std::string mount;  // the mount point
};

bool lists(const std::string & names, const std::string & wanted) {
    std::istringstream each(names);
    for (std::string name; std::getline(each, name, ',');) {
        if (name == wanted) {
            return true;
        }
    }
    return false;
}

// Lines of mountinfo: id, parent, device, root, mount point, options ..., "-", type, source, options.
std::vector<hierarchy> hierarchies(const std::string & root) {
    std::vector<hierarchy> found;
    std::ifstream file(root + "/proc/self/mountinfo");
    for (std::string line; std::getline(file, line);) {
        const size_t dash = line.find(" - ");
        if (dash == std::string::npos) {
            continue;
        }
        std::istringstream before(line);
        std::istringstream after(line.substr(dash + 3));
        std::string skipped;
        std::string type;
        std::string options;
        hierarchy h;
        before >> skipped >> skipped >> skipped >> h.root >> h.mount;
        after >> type >> skipped >> options;
        h.is_v2 = type == "cgroup2";
        if (h.is_v2 || (type == "cgroup" && lists(options, "cpu"))) {
            found.push_back(h);
        }
    }
    return found;
}

// Lines of /proc/self/cgroup: id, controllers, path. Version 2 has no controllers there.
std::string group_path(const std::string & root, bool is_v2) {
    std::ifstream file(root + "/proc/self/cgroup");
    for (std::string line; std::getline(file, line);) {
        const size_t first = line.find(':');
        const size_t second = first == std::string::npos ? first : line.find(':', first + 1);
        if (second == std::string::npos) {
            continue;
        }
        const std::string controllers = line.substr(first + 1, second - first - 1);
        if (is_v2 ? controllers.empty() : lists(controllers, "cpu")) {
            return line.substr(second + 1);
        }
    }
    return "/";
}

// Processors' worth of time that one group allows; 0 = it sets no limit.
double quota_of(const std::string & folder, bool is_v2) {
    double quota = 0;  // stays 0 where the file says "max"
    double period = 0;
    if (is_v2) {
        std::ifstream file(folder + "/cpu.max");
        file >> quota >> period;
    } else {
        std::ifstream(folder + "/cpu.cfs_quota_us") >> quota;  // -1 = no limit
        std::ifstream(folder + "/cpu.cfs_period_us") >> period;
    }
    return quota > 0 && period > 0 ? quota / period : 0;
}

int n_cores() {
#ifdef __linux__
    // Hyperthreads share the vector units that a matrix product fills, so they count once:
    // one thread per distinct set of siblings among the processors we may run on.
    cpu_set_t allowed;
    CPU_ZERO(&allowed);
    if (sched_getaffinity(0, sizeof(allowed), &allowed) == 0) {
        std::set<std::string> cores;
        for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
            if (CPU_ISSET(cpu, &allowed)) {
                std::ifstream file("/sys/devices/system/cpu/cpu" + std::to_string(cpu) +
                                   "/topology/thread_siblings_list");
                std::string siblings;
                if (!std::getline(file, siblings)) {
                    siblings = std::to_string(cpu);
                }
                cores.insert(siblings);
            }
        }
        return std::max(1, static_cast<int>(cores.size()));
    }
#endif
    return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

}  // namespace

int processor_quota(const std::string & root) {
    double least = 0;
    for (const hierarchy & h : hierarchies(root)) {
        std::string group = group_path(root, h.is_v2);
        if (h.root != "/") {
            // The path counts from the top of the machine's tree, or this mount shows another
            // part of it; the mount point itself is then all that can be known.
            group = group.compare(0, h.root.size(), h.root) == 0 ? group.substr(h.root.size()) : "";
        }
        // The group itself, then each of its parents up to the mount point.
        for (;;) {
            while (!group.empty() && group.back() == '/') {
                group.pop_back();
            }
            const double quota = quota_of(root + h.mount + group, h.is_v2);
            least = quota > 0 && (least == 0 || quota < least) ? quota : least;
            if (group.empty()) {
                break;
            }
            group.resize(group.find_last_of('/') + 1);
        }
    }
    return static_cast<int>(std::min(std::ceil(least), 1e9));
}

int default_n_threads() {
    // Threads beyond the quota are not slower but stopped, with the others waiting for them.
    const int quota = processor_quota("");
    return quota > 0 ? std::min(quota, n_cores()) : n_cores();
}

int checked_n_threads(int requested) {
    const int processors = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
    const int most = std::min(GGML_MAX_N_THREADS, 4 * processors);
    if (requested < 0 || requested > most) {
        throw error(errc::invalid_argument, "n_threads must be between 0 and " + std::to_string(most))
            .with("n_threads", requested);
    }
    return requested > 0 ? requested : std::min(most, default_n_threads());
}

}  // namespace jan
