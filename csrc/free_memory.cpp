#include "free_memory.h"

#include "backend.h"

#include <fstream>

namespace jan {

uint64_t available_memory(const std::string & meminfo) {
    std::ifstream file(meminfo);
    std::string name;
    uint64_t kib = 0;
    std::string unit;
    while (file >> name >> kib) {
        if (name == "MemAvailable:") {
            return kib * 1024;
        }
        std::getline(file, unit);
    }
    return 0;
}

uint64_t free_memory(uint64_t model_bytes) {
    uint64_t on_gpus = 0;
    for (const device & dev : devices()) {
        on_gpus += dev.kind == device_kind::gpu ? dev.memory_free : 0;
    }
    if (on_gpus > 0) {
        return on_gpus;
    }
    const uint64_t available = available_memory("/proc/meminfo");
    return available > model_bytes ? available - model_bytes : 0;
}

}  // namespace jan
