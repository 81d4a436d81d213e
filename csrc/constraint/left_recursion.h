// Rules that would call themselves before anything was read.
#pragma once

#include "constraint/grammar.h"

namespace jan {

// Such a rule, or -1. Takes time in proportion to the grammar's size.
int left_recursive_rule(const grammar & in);

}  // namespace jan
