// What upstream's Jinja parser is given: it recurses once per nesting and once per operator.
#pragma once

#include <string_view>

namespace jan {

// Throws invalid_argument, "chat_template: ...", for more than 256 KiB, brackets or blocks nested
// more than 64 deep, more than 1000 words and signs without a comma or more than 200 branches in a row.
void check_template(std::string_view source);

}  // namespace jan
