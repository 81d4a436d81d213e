// What JSON Schema's formats look like, as patterns.
#pragma once

#include <string>

namespace jan {

// "" for one that is not known here: it says nothing about the text.
std::string format_pattern(const std::string & format);

}  // namespace jan
