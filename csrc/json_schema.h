// A JSON schema as a grammar of what satisfies it.
#pragma once

#include "json_tree.h"

#include <string>
#include <string_view>
#include <vector>

namespace jan {

// Rules in GBNF. With common_json_rules() of schema/rule_book.h they are whole.
struct schema_rules {
    std::string root;  // the first one's name
    std::string text;
    // What the grammar does not hold: "#/properties/a: pattern: it looks around". All that satisfies the
    // schema and more is in the grammar then.
    std::vector<std::string> unheld;
};

struct schema_grammar {
    std::string text;  // GBNF with the rule `root`
    std::vector<std::string> unheld;
};

// Safe from any thread, each of them. They throw invalid_argument, "FIELD: at PLACE: ...", for what is no
// schema, for one that nothing satisfies, and for one whose grammar or choices are too many.
schema_rules rules_of(const json_tree & schema, const std::string & field, const std::string & place = "#",
                      const std::string & prefix = "schema-");
schema_grammar json_schema_to_gbnf(std::string_view schema_json);

std::string grammar_text(const schema_rules & rules);

// JSON as schemas may come: no more than 256 KiB.
json_tree schema_tree(std::string_view text, const char * field);

}  // namespace jan
