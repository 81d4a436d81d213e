// What a JSON schema may ask of upstream's converter, which recurses, copies and multiplies
// without a bound of its own. Walks the schema as the converter will and counts.
#pragma once

#include "json_tree.h"

#include <string_view>

namespace jan {

// Throws invalid_argument, its message beginning with `field`, for a schema that
// - refers to another document, to nothing, or through `allOf` to itself,
// - is deeper than 200 schemas, counted along its references, or is more than 4000 of them,
// - has numbers the grammar cannot express: lengths and counts over 2000, bounds over 10^15,
// - would take the converter longer than about a second.
void check_schema(const json_tree & schema, const char * field);

// The same from text, which may be no longer than 256 KiB.
void check_schema_text(std::string_view text, const char * field);

}  // namespace jan
