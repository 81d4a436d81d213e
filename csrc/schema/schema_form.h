// What a schema demands, with every reference followed and every choice made: plain conjunctions, of
// which a text has to satisfy one. Schemas are met in goals: all of these, and none of those.
#pragma once

#include "json_tree.h"
#include "schema/char_machine.h"
#include "schema/number_range.h"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace jan {

// Bits of schema_form::types. A number is one of two: with nothing behind its point, or with something.
enum json_types : unsigned {
    null_type = 1,
    boolean_type = 2,
    integer_type = 4,
    fraction_type = 8,
    string_type = 16,
    array_type = 32,
    object_type = 64,
    all_types = 127,
};

struct schema_demand {
    const json_tree * schema;
    bool negated;
    bool operator<(const schema_demand & other) const {
        return std::make_pair(schema, negated) < std::make_pair(other.schema, other.negated);
    }
    bool operator==(const schema_demand & other) const {
        return schema == other.schema && negated == other.negated;
    }
};

struct schema_goal {
    std::vector<schema_demand> demands;  // sorted, none twice
    unsigned types = all_types;
    bool operator<(const schema_goal & other) const {
        return types != other.types ? types < other.types : demands < other.demands;
    }
    void add(schema_demand more);
};

struct array_demands {
    std::vector<const json_tree *> prefix;
    const json_tree * rest = nullptr;  // absent: anything
};

struct contains_demand {
    const json_tree * what;
    int least = 1;
    int most = -1;
};

struct object_demands {
    const json_tree * properties = nullptr;  // each may be absent
    const json_tree * patterns = nullptr;
    const json_tree * rest = nullptr;
};

using shared_machine = std::shared_ptr<const char_machine>;

struct schema_form {
    unsigned types = all_types;
    std::optional<std::vector<const json_tree *>> values;
    std::vector<const json_tree *> not_values;
    number_range numbers;
    int min_length = 0;
    int max_length = -1;
    std::vector<shared_machine> texts;
    std::vector<array_demands> arrays;
    int min_items = 0;
    int max_items = -1;
    bool says_min_items = false;
    bool unique = false;
    const json_tree * unique_at = nullptr;
    std::vector<contains_demand> contains;
    std::vector<object_demands> objects;
    std::vector<std::string> required;
    std::set<std::string> absent;
    std::map<std::string, std::vector<schema_demand>> members;  // of a property, besides `objects`
    std::vector<schema_demand> names;
    int min_properties = 0;
    int max_properties = -1;

    bool requires_property(const std::string & name) const;
};

// A keyword that no grammar of ours can hold, or not all of it.
struct schema_note {
    std::string place;  // a JSON pointer as in a URI, "#/properties/a%20b"
    std::string keyword;
    std::string why;
    bool operator<(const schema_note & other) const {
        return std::tie(place, keyword, why) < std::tie(other.place, other.keyword, other.why);
    }
};

bool same_json(const json_tree & a, const json_tree & b);  // 1 and 1.0 are the same
unsigned types_of(const json_tree & value);
std::string json_text(const json_tree & value);
void append_json_string(const std::string & text, std::string & to);

}  // namespace jan
