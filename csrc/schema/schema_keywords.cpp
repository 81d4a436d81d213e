// What each keyword adds to a form, of those that leave no choice.
#include "schema/schema_expansion.h"

#include "schema/schema_formats.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

namespace jan {

namespace {

constexpr int most_counted = 20'000;

}  // namespace

void schema_expansion::read_numbers(const json_tree & schema, schema_form & form) {
    number_range & range = form.numbers;
    const auto bound = [&](const char * keyword, bool exclusive) -> std::optional<number_bound> {
        const json_tree * found = schema.find(keyword);
        if (!found || found->type == json_tree::kind::boolean) {  // true: draft 4's way to say exclusive
            return std::nullopt;
        }
        const std::optional<decimal> at = found->is_number() ? read_decimal(found->text) : std::nullopt;
        if (!at) {
            if (!found->is_number()) {
                reader_.fail(schema, std::string(keyword) + " must be a number");
            }
            const bool upper =
                keyword[0] == 'm' ? keyword[1] == 'a' : keyword[9] == 'M' && keyword[10] == 'a';
            if (std::fabs(found->number()) > 1e38 && (found->number() > 0) == upper) {
                // No number that is written comes near it.
                return number_bound{{!upper, "1" + std::string(38, '0'), ""}, false};
            }
            reader_.note(schema, keyword, "it has more than 40 digits");
            return std::nullopt;
        }
        return number_bound{*at, exclusive};
    };
    const auto is_true = [&](const char * keyword) {
        const json_tree * found = schema.find(keyword);
        return found && found->truth;
    };
    for (const auto & least :
         {bound("minimum", is_true("exclusiveMinimum")), bound("exclusiveMinimum", true)}) {
        const int order = least && range.least ? compare(least->at, range.least->at) : 1;
        if (least && (order > 0 || (order == 0 && least->exclusive))) {
            range.least = least;
        }
    }
    for (const auto & most :
         {bound("maximum", is_true("exclusiveMaximum")), bound("exclusiveMaximum", true)}) {
        const int order = most && range.most ? compare(most->at, range.most->at) : -1;
        if (most && (order < 0 || (order == 0 && most->exclusive))) {
            range.most = most;
        }
    }
    if (const auto of = bound("multipleOf", false)) {
        if (of->at.negative || of->at.is_zero()) {
            reader_.fail(schema, "multipleOf must be above zero");
        }
        number_range alone;
        alone.multiples_of = {of->at};
        if (number_machine(alone)) {
            range.multiples_of.push_back(of->at);
        } else {
            reader_.note(schema, "multipleOf", "its multiples take too many states");
        }
    }
    if (range.least && range.most) {
        const int order = compare(range.least->at, range.most->at);
        if (order > 0 || (order == 0 && (range.least->exclusive || range.most->exclusive))) {
            form.types &= ~static_cast<unsigned>(integer_type | fraction_type);
        }
    }
}

void schema_expansion::count(const json_tree & schema, const char * low, const char * high, int & least,
                             int & most) {
    const auto read = [&](const char * keyword) {
        const json_tree * found = schema.find(keyword);
        if (!found) {
            return -1.0;
        }
        if (!found->is_number() || found->number() < 0 || found->number() != std::floor(found->number())) {
            reader_.fail(schema, std::string(keyword) + " must be a whole number from 0 up");
        }
        return found->number();
    };
    const double at_least = read(low);
    const double at_most = read(high);
    if (at_least > most_counted) {
        reader_.note(schema, low, "it is more than " + std::to_string(most_counted));
    } else if (at_least >= 0) {
        least = std::max(least, static_cast<int>(at_least));
    }
    if (at_most >= 0) {  // a longer text would satisfy it as well, and nobody writes one
        const int capped = static_cast<int>(std::min<double>(at_most, most_counted));
        most = most < 0 ? capped : std::min(most, capped);
    }
}

void schema_expansion::read_strings(const json_tree & schema, schema_form & form) {
    count(schema, "minLength", "maxLength", form.min_length, form.max_length);
    if (form.max_length >= 0 && form.min_length > form.max_length) {
        form.types &= ~static_cast<unsigned>(string_type);
    }
    if (const json_tree * pattern = schema.find("pattern")) {
        if (!pattern->is_string()) {
            reader_.fail(schema, "pattern must be a string");
        }
        if (const shared_machine machine = reader_.pattern(pattern->text, schema, "pattern")) {
            form.texts.push_back(machine);
        }
    }
    if (const json_tree * format = schema.find("format"); format && (form.types & string_type)) {
        const std::string pattern = format->is_string() ? format_pattern(format->text) : "";
        if (!pattern.empty()) {
            form.texts.push_back(reader_.pattern(pattern, schema, "format"));
        }
    }
}

void schema_expansion::read_arrays(const json_tree & schema, schema_form & form) {
    form.says_min_items = form.says_min_items || schema.find("minItems");
    count(schema, "minItems", "maxItems", form.min_items, form.max_items);
    if (form.max_items >= 0 && form.min_items > form.max_items) {
        form.types &= ~static_cast<unsigned>(array_type);
    }
    const json_tree * prefix = schema.find("prefixItems");
    const json_tree * rest = schema.find("items");
    if (!prefix && rest && rest->is_array()) {  // as it was written before 2020
        prefix = rest;
        rest = schema.find("additionalItems");
    }
    if (prefix && !prefix->is_array()) {  // not by the standard, but it is seen
        form.arrays.push_back({{}, prefix});
        prefix = nullptr;
    }
    if (prefix || rest) {
        array_demands made;
        for (size_t i = 0; prefix && i < prefix->items.size(); ++i) {
            made.prefix.push_back(&prefix->items[i]);
        }
        made.rest = rest;
        form.arrays.push_back(std::move(made));
    }
    if (const json_tree * unique = schema.find("uniqueItems"); unique && unique->truth) {
        form.unique = true;
        form.unique_at = &schema;
    }
    if (const json_tree * what = schema.find("contains")) {
        contains_demand made{what};
        count(schema, "minContains", "maxContains", made.least, made.most);
        if (const json_tree * least = schema.find("minContains")) {
            made.least = std::min(made.least, static_cast<int>(least->number()));
        }
        form.contains.push_back(made);
    }
}

void schema_expansion::read_objects(const json_tree & schema, branch & at) {
    schema_form & form = at.form;
    object_demands made{schema.find("properties"), schema.find("patternProperties"),
                        schema.find("additionalProperties")};
    for (const json_tree * map : {made.properties, made.patterns}) {
        if (map && !map->is_object()) {
            reader_.fail(schema, "properties must be an object of schemas");
        }
    }
    if (made.properties || made.patterns || made.rest) {
        form.objects.push_back(made);
    }
    if (const json_tree * required = schema.find("required"); required && required->is_array()) {
        for (const json_tree & name : required->items) {
            if (!name.is_string()) {
                reader_.fail(schema, "required must be an array of names");
            }
            if (!form.requires_property(name.text)) {
                form.required.push_back(name.text);
            }
        }
    }
    if (const json_tree * names = schema.find("propertyNames")) {
        form.names.push_back({names, false});
    }
    count(schema, "minProperties", "maxProperties", form.min_properties, form.max_properties);
    if (form.max_properties >= 0 && form.min_properties > form.max_properties) {
        form.types &= ~static_cast<unsigned>(object_type);
    }
}

}  // namespace jan
