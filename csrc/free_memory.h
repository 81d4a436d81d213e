// How many bytes a cache may take where the model computes.
#pragma once

#include "backend.h"

#include <cstdint>
#include <string>
#include <vector>

namespace jan {

// Share of a model's layers, and so of its cache, that lie on GPUs, from 0 to 1: none without a GPU with
// memory of its own. llama.cpp places from the end and counts what follows the last layer as one; a negative
// n_gpu_layers is all.
double gpu_share(const std::vector<device> & found, int n_gpu_layers, int n_layer);

// What the whole cache may take when that share of it lies on GPUs: there what their drivers call free,
// elsewhere what the system can give without swapping (`available`), less the model's own bytes there, which
// a mapped file's pages are not counted with. The part that runs out first decides. 0 where nobody knows.
uint64_t free_memory(const std::vector<device> & found, double on_gpus, uint64_t model_bytes,
                     uint64_t available);

// "MemAvailable:  123 kB" in a file like /proc/meminfo, in bytes; 0 when there is none.
uint64_t available_memory(const std::string & meminfo);

}  // namespace jan
