// Whether a value that a schema lists satisfies the rest of it.
#include "schema/schema_reader.h"

#include <algorithm>

namespace jan {

namespace {

int n_characters(const std::string & text) {
    int n = 0;
    for (size_t at = 0; at < text.size(); ++n) {
        take_code_point(text, at);
    }
    return n;
}

}  // namespace

bool schema_reader::holds(const schema_goal & of, const json_tree & value) {
    const std::vector<schema_form> & all = forms(of);
    return std::any_of(all.begin(), all.end(), [&](const schema_form & form) {
        const auto same = [&](const json_tree * other) { return same_json(value, *other); };
        return (!form.values || std::any_of(form.values->begin(), form.values->end(), same)) &&
               accepts(form, value);
    });
}

// But for `values`, which it may be one of.
bool schema_reader::accepts(const schema_form & form, const json_tree & value) {
    const auto same = [&](const json_tree * other) { return same_json(value, *other); };
    if ((form.types & types_of(value)) == 0 ||
        std::any_of(form.not_values.begin(), form.not_values.end(), same)) {
        return false;
    }
    if (value.is_number()) {
        const std::optional<decimal> number = read_decimal(value.text);
        return !number || form.numbers.holds(*number);
    }
    if (value.is_string()) {
        const int n = n_characters(value.text);
        return n >= form.min_length && (form.max_length < 0 || n <= form.max_length) &&
               std::all_of(form.texts.begin(), form.texts.end(),
                           [&](const shared_machine & text) { return text->accepts(value.text); });
    }
    return value.is_array() ? accepts_array(form, value) : !value.is_object() || accepts_object(form, value);
}

bool schema_reader::accepts_array(const schema_form & form, const json_tree & value) {
    const auto n = static_cast<int>(value.items.size());
    if (n < form.min_items || (form.max_items >= 0 && n > form.max_items)) {
        return false;
    }
    for (size_t i = 0; i < value.items.size(); ++i) {
        if (!holds(item(form, i), value.items[i])) {
            return false;
        }
        for (size_t j = 0; form.unique && j < i; ++j) {
            if (same_json(value.items[i], value.items[j])) {
                return false;
            }
        }
    }
    return std::all_of(form.contains.begin(), form.contains.end(), [&](const contains_demand & contained) {
        schema_goal what;
        what.add({contained.what, false});
        const auto n_found = std::count_if(value.items.begin(), value.items.end(),
                                           [&](const json_tree & one) { return holds(what, one); });
        return n_found >= contained.least && (contained.most < 0 || n_found <= contained.most);
    });
}

bool schema_reader::accepts_object(const schema_form & form, const json_tree & value) {
    const auto n = static_cast<int>(value.members.size());
    if (n < form.min_properties || (form.max_properties >= 0 && n > form.max_properties)) {
        return false;
    }
    for (const std::string & name : form.required) {
        if (!value.find(name)) {
            return false;
        }
    }
    return std::all_of(value.members.begin(), value.members.end(), [&](const auto & member) {
        const std::optional<schema_goal> what = property(form, member.first);
        return what && holds(*what, member.second);
    });
}

}  // namespace jan
