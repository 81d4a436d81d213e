// Types that the numbers of a cache may have, by name.
#pragma once

#include "ggml.h"

#include <string>

namespace jan {

// Throws invalid_argument for a name that is none of them.
ggml_type cache_type(const std::string & name);

}  // namespace jan
