// Hardware backends: which files were found, which were loaded and why not, which devices they
// bring. Only here are libraries opened at run time, and only by absolute path.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace jan {

enum class backend_status : int {
    loaded,       // registered, with at least one device
    no_device,    // works, or lacks only the vendor's driver: there is no such device here
    unsupported,  // built for instructions this processor does not have
    outscored,    // would run, but another variant runs faster
    failed,       // could not be loaded
    crashed,      // took a process that tried it with itself
};

struct backend_file {
    std::string path;
    std::string name;  // "cpu-haswell", "cuda": the file name without prefix and suffix
    int score;         // a CPU variant's own rating of this machine; 0 = cannot run, -1 = no rating
    backend_status status;
    std::string reason;  // empty when loaded
};

enum class device_kind : int { cpu, gpu, integrated_gpu, accelerator };

struct device {
    std::string name;
    std::string description;
    std::string backend;
    device_kind kind;
    uint64_t memory_free;   // bytes
    uint64_t memory_total;  // bytes
};

struct backend_choice {
    std::string only;  // the one file to load, by name; empty: the best CPU variant and all others
    std::vector<std::pair<std::string, std::string>> crashed;  // by name, and how: these are not opened
};

// Loads the backends in `folder`, an absolute path, once per process; later calls do nothing.
// Registering is not thread-safe upstream, so this holds a lock, and must come before any
// model. Throws invalid_argument for a relative path and backend_failure when no CPU backend
// could be loaded: nothing can run then, and the next call tries again.
void load_backends(const std::string & folder, const backend_choice & choice = {});

// The CPU variants in `folder` that can run here, best first. Opens each and closes it again.
std::vector<std::string> rate_cpu_variants(const std::string & folder);

// Both are empty before load_backends().
std::vector<backend_file> backend_files();
std::vector<device> devices();

// Throws backend_failure when load_backends() has not succeeded. Upstream would otherwise
// search the working directory for libraries.
void require_backends();

}  // namespace jan
