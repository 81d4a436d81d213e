// This variant's loops for measuring the machine.
#pragma once

#include "machine_loops.h"

namespace jan::kernels {

const jan_machine_loops & loops_of_variant();

}  // namespace jan::kernels
