// How many threads to compute with.
#pragma once

#include <string>

namespace jan {

// Physical cores that this process may use, and no more than its control groups give it time
// for; at least 1.
int default_n_threads();

// The number to use for a requested one: 0 means default_n_threads(). Throws invalid_argument
// when it is negative or more than four per processor: upstream aborts when a thread cannot be
// started, and more than that never helps.
int checked_n_threads(int requested);

// Processors' worth of time that the control groups of this process and their parents allow,
// rounded up; 0 = as much as there is. Reads proc and sys below `root`, which is "" but in tests.
int processor_quota(const std::string & root);

}  // namespace jan
