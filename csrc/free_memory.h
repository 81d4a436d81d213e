// How many bytes a cache may take where the model computes.
#pragma once

#include <cstdint>
#include <string>

namespace jan {

// On GPUs what their drivers call free. Otherwise what the system can give without swapping, less
// the model's own bytes, which a mapped file's pages are not counted with. 0 where nobody knows.
uint64_t free_memory(uint64_t model_bytes);

// "MemAvailable:  123 kB" in a file like /proc/meminfo, in bytes; 0 when there is none.
uint64_t available_memory(const std::string & meminfo);

}  // namespace jan
