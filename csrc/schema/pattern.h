// A regular expression as JSON Schema has it, ECMAScript's and found anywhere in a text, as a
// machine of the whole texts it is found in.
#pragma once

#include "schema/char_machine.h"

#include <stdexcept>
#include <string>
#include <string_view>

namespace jan {

// Why no machine can hold it: a look around, a back reference, \b; or too many states.
struct pattern_unheld : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// Also throws std::invalid_argument for what is no pattern at all.
char_machine pattern_machine(std::string_view pattern);

}  // namespace jan
