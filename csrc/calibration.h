// Times a few forward passes before the first request, so that the first prompts are cut sensibly.
#pragma once

#include "forward.h"
#include "scheduler.h"

#include <atomic>
#include <functional>

namespace jan {

// Takes limit_s at most, unless the first pass alone takes longer; ends early once `closed`
// is set, and once somebody `waits` and the passes of a few rows are measured: guesses are priced by them.
// Also reads every weight once. The lanes are empty before and after.
void calibrate(forward & through, int max_rows, double limit_s, const std::atomic<bool> & closed,
               const std::function<bool()> & waits, pass_costs & cost);

}  // namespace jan
