#include "schema/schema_form.h"

#include <algorithm>
#include <cstdio>

namespace jan {

void schema_goal::add(schema_demand more) {
    const auto at = std::lower_bound(demands.begin(), demands.end(), more);
    if (at == demands.end() || !(*at == more)) {
        demands.insert(at, more);
    }
}

bool schema_form::requires_property(const std::string & name) const {
    return std::find(required.begin(), required.end(), name) != required.end();
}

bool same_json(const json_tree & a, const json_tree & b) {
    if (a.type != b.type) {
        return false;
    }
    switch (a.type) {
        case json_tree::kind::null: return true;
        case json_tree::kind::boolean: return a.truth == b.truth;
        case json_tree::kind::string: return a.text == b.text;
        case json_tree::kind::number: {
            const auto l = read_decimal(a.text);
            const auto r = read_decimal(b.text);
            return l && r ? compare(*l, *r) == 0 : a.text == b.text;
        }
        case json_tree::kind::array:
            return std::equal(a.items.begin(), a.items.end(), b.items.begin(), b.items.end(), same_json);
        case json_tree::kind::object: break;
    }
    return a.members.size() == b.members.size() &&
           std::all_of(a.members.begin(), a.members.end(), [&](const auto & member) {
               const json_tree * other = b.find(member.first);
               return other && same_json(member.second, *other);
           });
}

unsigned types_of(const json_tree & value) {
    switch (value.type) {
        case json_tree::kind::null: return null_type;
        case json_tree::kind::boolean: return boolean_type;
        case json_tree::kind::string: return string_type;
        case json_tree::kind::array: return array_type;
        case json_tree::kind::object: return object_type;
        case json_tree::kind::number: break;
    }
    const auto number = read_decimal(value.text);
    return number && number->is_integer() ? integer_type : fraction_type;
}

void append_json_string(const std::string & text, std::string & to) {
    to += '"';
    for (const char c : text) {
        const auto code = static_cast<unsigned char>(c);
        switch (c) {
            case '"': to += "\\\""; break;
            case '\\': to += "\\\\"; break;
            case '\n': to += "\\n"; break;
            case '\r': to += "\\r"; break;
            case '\t': to += "\\t"; break;
            case '\b': to += "\\b"; break;
            case '\f': to += "\\f"; break;
            default:
                if (code < 0x20) {
                    char escaped[8];
                    std::snprintf(escaped, sizeof(escaped), "\\u%04x", code);
                    to += escaped;
                } else {
                    to += c;
                }
        }
    }
    to += '"';
}

std::string json_text(const json_tree & value) {
    switch (value.type) {
        case json_tree::kind::null: return "null";
        case json_tree::kind::boolean: return value.truth ? "true" : "false";
        case json_tree::kind::number: return value.text;
        case json_tree::kind::string: {
            std::string text;
            append_json_string(value.text, text);
            return text;
        }
        case json_tree::kind::array: {
            std::string text = "[";
            for (const json_tree & item : value.items) {
                text += (text.size() > 1 ? "," : "") + json_text(item);
            }
            return text + "]";
        }
        case json_tree::kind::object: break;
    }
    std::string text = "{";
    for (const auto & [name, member] : value.members) {
        text += text.size() > 1 ? "," : "";
        append_json_string(name, text);
        text += ":" + json_text(member);
    }
    return text + "}";
}

}  // namespace jan
