// Times both attention kernels through the whole model, in turn, before the engine is put together.
#pragma once

#include "forward.h"
#include "kernel_choice.h"

#include <functional>

namespace jan {

// Both forward passes have size.n_lanes lanes, empty and with room for size.depth + size.n_small cells
// each, and share their threads. Untimed when not one round fits into limit_s, or not even half of the
// depth can be read in what is left of it, which is known after two small passes with each. Unless the
// plain products lead clearly after one round there is another, even past limit_s. clock_s gives
// seconds. Throws backend_failure when a pass fails.
kernel_choice time_kernels(forward & plain, forward & flash, trial_size size, const prompt_pace & pace,
                           double limit_s, const std::function<double()> & clock_s);

}  // namespace jan
