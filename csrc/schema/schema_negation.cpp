// What does not satisfy a schema, as a choice of schemas: where that can be said at all.
#include "schema/schema_expansion.h"

#include <string>
#include <utility>

namespace jan {

namespace {

constexpr int deepest = 8;  // of schemas in each other that are turned around

// Keywords that say nothing about what satisfies the schema.
bool says_nothing(const std::string & keyword) {
    for (const char * known : {"title", "description", "default", "examples", "example", "$schema", "$id",
                               "$comment", "$defs", "definitions", "$anchor", "deprecated", "readOnly",
                               "writeOnly", "contentMediaType", "contentEncoding"}) {
        if (keyword == known) {
            return true;
        }
    }
    return false;
}

std::string moved(const json_tree & count, int by) {
    return std::to_string(static_cast<long long>(count.number()) + by);
}

}  // namespace

json_tree json_object(std::vector<std::pair<std::string, json_tree>> members) {
    json_tree made;
    made.type = json_tree::kind::object;
    made.members = std::move(members);
    return made;
}

json_tree json_string(std::string text) {
    json_tree made;
    made.type = json_tree::kind::string;
    made.text = std::move(text);
    return made;
}

json_tree json_number(const std::string & text) {
    json_tree made;
    made.type = json_tree::kind::number;
    made.text = text;
    return made;
}

json_tree json_array(std::vector<json_tree> items) {
    json_tree made;
    made.type = json_tree::kind::array;
    made.items = std::move(items);
    return made;
}

schema_demand schema_expansion::synthetic(const json_tree & of, const std::string & what, json_tree made) {
    return {&reader_.made(of, what, std::move(made)), false};
}

void schema_expansion::negate(const json_tree & schema, branch & at) {
    if (schema.type == json_tree::kind::boolean) {
        at.form.types = schema.truth ? 0 : at.form.types;
        return;
    }
    if (!schema.is_object()) {
        reader_.fail(schema, "a schema must be an object, true or false");
    }
    choice options;
    if (!options_against(schema, options)) {
        reader_.note(schema, "not", "what does not satisfy this is beyond a grammar");
        return;
    }
    at.choices.push_back(std::move(options));
}

// False where one of its keywords has no opposite here.
bool schema_expansion::options_against(const json_tree & schema, choice & into) {
    const auto add = [&](const char * type, const std::string & keyword, json_tree value) {
        into.push_back({synthetic(schema, "not " + keyword + " " + json_text(value),
                                  json_object({{"type", json_string(type)}, {keyword, std::move(value)}}))});
    };
    for (const auto & [keyword, value] : schema.members) {
        if (keyword == "type") {
            schema_form probe;
            branch known;
            known.form = probe;
            const json_tree & alone = reader_.made(schema, "type alone", json_object({{"type", value}}));
            read_types(alone, known);
            const std::string others = std::to_string(all_types & ~known.form.types);
            if (others != "0") {
                into.push_back(
                    {synthetic(schema, "other types", json_object({{"\1types", json_number(others)}}))});
            }
        } else if (keyword == "const" || keyword == "enum") {
            json_tree values = keyword == "enum" ? value : json_array({value});
            into.push_back(
                {synthetic(schema, "not " + keyword, json_object({{"\1not", std::move(values)}}))});
        } else if (keyword == "minimum") {
            add("number", "exclusiveMaximum", value);
        } else if (keyword == "maximum") {
            add("number", "exclusiveMinimum", value);
        } else if (keyword == "exclusiveMinimum") {
            add("number", "maximum", value);
        } else if (keyword == "exclusiveMaximum") {
            add("number", "minimum", value);
        } else if (keyword == "minLength" || keyword == "minItems" || keyword == "minProperties") {
            if (value.number() > 0) {
                const char * type = keyword == "minLength"  ? "string"
                                    : keyword == "minItems" ? "array"
                                                            : "object";
                add(type, "max" + keyword.substr(3), json_number(moved(value, -1)));
            }
        } else if (keyword == "maxLength" || keyword == "maxItems" || keyword == "maxProperties") {
            const char * type = keyword == "maxLength"  ? "string"
                                : keyword == "maxItems" ? "array"
                                                        : "object";
            add(type, "min" + keyword.substr(3), json_number(moved(value, 1)));
        } else if (keyword == "pattern" && value.is_string()) {
            if (!reader_.pattern(value.text, schema, "not")) {
                return false;
            }
            add("string", "\1pattern", value);
        } else if (keyword == "required" && value.is_array()) {
            for (const json_tree & name : value.items) {
                add("object", "\1absent", json_array({name}));
            }
        } else if (keyword == "properties" && value.is_object()) {
            for (const auto & [name, what] : value.members) {
                if (!can_negate(what, 1)) {
                    return false;
                }
                into.push_back({synthetic(schema, "member " + name,
                                          json_object({{"type", json_string("object")},
                                                       {"required", json_array({json_string(name)})},
                                                       {"\1member", json_object({{name, what}})}}))});
            }
        } else if (keyword == "allOf" && value.is_array()) {
            for (const json_tree & part : value.items) {
                into.push_back({{&part, true}});
            }
        } else if (keyword == "anyOf" && value.is_array()) {
            option none;
            for (const json_tree & part : value.items) {
                none.push_back({&part, true});
            }
            into.push_back(std::move(none));
        } else if (keyword == "not") {
            into.push_back({{&value, false}});
        } else if (keyword == "$ref" && value.is_string()) {
            into.push_back({{&reader_.target(schema, value.text), true}});
        } else if (!says_nothing(keyword)) {
            return false;
        }
    }
    return true;
}

bool schema_expansion::can_negate(const json_tree & schema, int depth) {
    if (schema.type == json_tree::kind::boolean) {
        return true;
    }
    if (depth > deepest || !schema.is_object()) {
        return false;
    }
    for (const auto & [keyword, value] : schema.members) {
        const bool several = keyword == "allOf" || keyword == "anyOf";
        for (size_t i = 0; several && i < value.items.size(); ++i) {
            if (!can_negate(value.items[i], depth + 1)) {
                return false;
            }
        }
        if (keyword == "$ref" && value.is_string() &&
            !can_negate(reader_.target(schema, value.text), depth + 1)) {
            return false;
        }
    }
    choice unused;
    return options_against(schema, unused);
}

bool schema_expansion::disjoint(const json_tree & a, const json_tree & b) {
    schema_goal together;
    together.add({&a, false});
    together.add({&b, false});
    return !reader_.possible(together);
}

}  // namespace jan
