// A token id, for the files that must not see llama.h.
#pragma once

#include <cstdint>

namespace jan {

using token = int32_t;

}  // namespace jan
