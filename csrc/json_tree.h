// JSON as a tree, read within limits. What upstream's recursive code is given has been through
// here: how deep, how wide and how large it is was settled before.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace jan {

struct json_limits {
    size_t n_bytes = 1 << 20;
    size_t depth = 100;
    size_t n_values = 50000;
    size_t n_members = 2000;  // of one object: upstream's objects find a key by looking at each
};

struct json_tree {
    enum class kind { null, boolean, number, string, array, object };

    kind type = kind::null;
    bool truth = false;
    std::string text;                                        // a string's characters, a number as written
    std::vector<json_tree> items;                            // an array's
    std::vector<std::pair<std::string, json_tree>> members;  // an object's, in order, no key twice

    bool is_object() const { return type == kind::object; }
    bool is_array() const { return type == kind::array; }
    bool is_string() const { return type == kind::string; }
    bool is_number() const { return type == kind::number; }

    // nullptr when this is no object or has no such key.
    const json_tree * find(std::string_view key) const;
    double number() const;  // 0 for anything else
};

// Throws invalid_argument, its message beginning with `field`: not JSON, a key twice in one
// object, or more than a limit allows.
json_tree parse_json(std::string_view text, const char * field, const json_limits & limits = {});

}  // namespace jan
