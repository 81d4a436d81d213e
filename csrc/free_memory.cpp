#include "free_memory.h"

#include <algorithm>
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

double gpu_share(const std::vector<device> & found, int n_gpu_layers, int n_layer) {
    const bool any = std::any_of(found.begin(), found.end(),
                                 [](const device & one) { return one.kind == device_kind::gpu; });
    if (!any || n_layer <= 0) {
        return 0;
    }
    const int n = n_gpu_layers < 0 ? n_layer : std::clamp(n_gpu_layers - 1, 0, n_layer);
    return static_cast<double>(n) / n_layer;
}

uint64_t free_memory(const std::vector<device> & found, double on_gpus, uint64_t model_bytes,
                     uint64_t available) {
    double least = 0;
    const auto limit = [&](double bytes, double share) {
        if (share > 0) {
            const double room = std::max(1.0, bytes) / share;  // 0 would be: nobody knows
            least = least > 0 ? std::min(least, room) : room;
        }
    };
    if (on_gpus > 0) {
        double bytes = 0;
        for (const device & one : found) {
            bytes += one.kind == device_kind::gpu ? static_cast<double>(one.memory_free) : 0;
        }
        limit(bytes, on_gpus);
    }
    if (available > 0) {
        const double here = 1 - on_gpus;
        limit(static_cast<double>(available) - here * static_cast<double>(model_bytes), here);
    }
    return static_cast<uint64_t>(std::min(least, 1e18));
}

}  // namespace jan
