// A JSON schema as a grammar of what satisfies it.
#pragma once

#include <string>
#include <string_view>

namespace jan {

// GBNF with the rule `root`. Safe from any thread. A pattern that has no grammar of its own (one
// with \d, or without ^ and $) becomes any string, and the log says so.
// Throws invalid_argument, "json_schema: ...", for what is no schema, for one upstream's converter
// cannot express, and for one that goes past schema_limits.h or makes more than 1 MiB of grammar.
std::string json_schema_to_gbnf(std::string_view schema_json);

}  // namespace jan
