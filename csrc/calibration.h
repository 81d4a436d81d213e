// Times a few forward passes before the first request, so that the first prompts are cut sensibly.
#pragma once

#include "forward.h"
#include "scheduler.h"

#include <functional>

namespace jan {

// Takes limit_s at most, unless the first pass alone takes longer; ends early once `stop` says so.
// Also reads every weight once. The lanes are empty before and after.
void calibrate(forward & through, int max_rows, double limit_s, const std::function<bool()> & stop,
               pass_costs & cost);

}  // namespace jan
