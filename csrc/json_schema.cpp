#include "json_schema.h"

#include "constraint/grammar.h"
#include "error.h"
#include "schema/schema_writer.h"

#include <utility>

namespace jan {

namespace {

constexpr size_t max_text = 256 * 1024;
constexpr size_t max_members = 4000;

}  // namespace

schema_rules rules_of(const json_tree & schema, const std::string & field, const std::string & place,
                      const std::string & prefix) {
    schema_reader reader(schema, field, place);
    schema_writer writer(reader, prefix);
    schema_rules made;
    made.text = writer.write(reader.goal());
    made.root = writer.root();
    if (made.text.empty()) {
        throw error(errc::invalid_argument, field + ": at " + place + ": nothing satisfies this schema");
    }
    for (const schema_note & note : reader.notes()) {
        made.unheld.push_back(note.place + ": " + note.keyword + ": " + note.why);
    }
    return made;
}

json_tree schema_tree(std::string_view text, const char * field) {
    json_limits limits;
    limits.n_bytes = max_text;
    limits.n_members = max_members;
    for (size_t at = 0; at < text.size();) {
        const size_t first = at;
        if (take_code_point(text, at) > 0x7F && at == first + 1) {
            throw error(errc::invalid_argument,
                        std::string(field) + ": not UTF-8 at byte " + std::to_string(first));
        }
    }
    return parse_json(text, field, limits);
}

std::string grammar_text(const schema_rules & rules) {
    return "root ::= " + rules.root + "\n" + rules.text + common_json_rules();
}

schema_grammar json_schema_to_gbnf(std::string_view schema_json) {
    const schema_rules rules = rules_of(schema_tree(schema_json, "json_schema"), "json_schema");
    return {grammar_text(rules), rules.unheld};
}

}  // namespace jan
