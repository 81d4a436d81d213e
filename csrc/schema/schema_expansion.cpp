#include "schema/schema_expansion.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>

namespace jan {

namespace {

constexpr int most_branches = 4096;
constexpr size_t most_forms = 512;  // of one goal

unsigned type_named(const std::string & name) {
    static const std::map<std::string, unsigned> types = {
        {"null", null_type},       {"boolean", boolean_type},
        {"integer", integer_type}, {"number", integer_type | fraction_type},
        {"string", string_type},   {"array", array_type},
        {"object", object_type}};
    const auto found = types.find(name);
    return found == types.end() ? 0 : found->second;
}

// A schema that speaks of properties and of no type means an object, and so on: all it says would hold of
// anything else too, which nobody wants.
unsigned meant_types(const schema_form & form) {
    unsigned types = 0;
    if (!form.objects.empty() || !form.required.empty() || !form.members.empty() || !form.names.empty() ||
        form.min_properties > 0 || form.max_properties >= 0) {
        types |= object_type;
    }
    if (!form.arrays.empty() || !form.contains.empty() || form.unique || form.min_items > 0 ||
        form.max_items >= 0) {
        types |= array_type;
    }
    if (!form.texts.empty() || form.min_length > 0 || form.max_length >= 0) {
        types |= string_type;
    }
    if (!form.numbers.any()) {
        types |= integer_type | fraction_type;
    }
    return types == 0 ? unsigned{all_types} : types;
}

}  // namespace

void schema_expansion::run(const schema_goal & of) {
    branch at;
    at.form.types = of.types;
    at.open = of.demands;
    follow(std::move(at), 0);
}

void schema_expansion::follow(branch at, int depth) {
    if (++n_branches_ > most_branches || depth > 200) {
        reader_.fail_of_choices();
    }
    while (!at.open.empty() && at.form.types != 0) {
        const schema_demand next = at.open.back();
        at.open.pop_back();
        if (!at.seen.insert(next).second) {
            continue;
        }
        if (next.negated) {
            negate(*next.schema, at);
        } else {
            read(*next.schema, at);
        }
    }
    if (at.form.types == 0) {
        return;
    }
    if (at.choices.empty()) {
        finish(std::move(at.form));
        return;
    }
    const choice next = std::move(at.choices.back());
    at.choices.pop_back();
    for (const option & one : next) {
        branch taken = at;
        taken.open = one;
        follow(std::move(taken), depth + 1);
    }
}

void schema_expansion::finish(schema_form form) {
    if (form.values) {
        std::vector<const json_tree *> kept;
        for (const json_tree * value : *form.values) {
            if (reader_.accepts(form, *value)) {
                kept.push_back(value);
            }
        }
        if (kept.empty()) {
            return;
        }
        form.types = 0;
        for (const json_tree * value : kept) {
            form.types |= types_of(*value);
        }
        form.values = std::move(kept);
    } else if (form.types == all_types) {
        form.types = meant_types(form);
    }
    if (into_.size() >= most_forms) {
        reader_.fail_of_choices();
    }
    into_.push_back(std::move(form));
}

void schema_expansion::read(const json_tree & schema, branch & at) {
    if (schema.type == json_tree::kind::boolean) {
        at.form.types = schema.truth ? at.form.types : 0;
        return;
    }
    if (!schema.is_object()) {
        reader_.fail(schema, "a schema must be an object, true or false");
    }
    if (const json_tree * ref = schema.find("$ref")) {
        if (!ref->is_string()) {
            reader_.fail(schema, "$ref must be a string");
        }
        at.open.push_back({&reader_.target(schema, ref->text), false});
    }
    read_types(schema, at);
    read_choices(schema, at);
    read_numbers(schema, at.form);
    read_strings(schema, at.form);
    read_arrays(schema, at.form);
    read_objects(schema, at);
    read_dependencies(schema, at);
    read_made(schema, at.form);
    note_unheld(schema);
}

void schema_expansion::read_types(const json_tree & schema, branch & at) {
    schema_form & form = at.form;
    if (const json_tree * type = schema.find("type")) {
        unsigned types = 0;
        const auto add = [&](const json_tree & name) {
            const unsigned found = name.is_string() ? type_named(name.text) : 0;
            if (found == 0) {
                reader_.fail(schema, "there is no type " + json_text(name).substr(0, 100));
            }
            types |= found;
        };
        if (type->is_array()) {
            std::for_each(type->items.begin(), type->items.end(), add);
        } else {
            add(*type);
        }
        form.types &= types;
    }
    std::vector<const json_tree *> allowed;
    const json_tree * one = schema.find("const");
    const json_tree * listed = schema.find("enum");
    if (one) {
        allowed.push_back(one);
    } else if (listed) {
        if (!listed->is_array() || listed->items.empty()) {
            reader_.fail(schema, "enum must be an array with something in it");
        }
        for (const json_tree & value : listed->items) {
            allowed.push_back(&value);
        }
    } else {
        return;
    }
    if (one && listed) {
        const auto same = [&](const json_tree & value) { return same_json(value, *one); };
        if (std::none_of(listed->items.begin(), listed->items.end(), same)) {
            form.types = 0;
        }
    }
    if (form.values) {
        const std::vector<const json_tree *> before = std::move(*form.values);
        form.values.emplace();
        for (const json_tree * value : before) {
            const auto same = [&](const json_tree * other) { return same_json(*value, *other); };
            if (std::any_of(allowed.begin(), allowed.end(), same)) {
                form.values->push_back(value);
            }
        }
        form.types = form.values->empty() ? 0 : form.types;
    } else {
        form.values = std::move(allowed);
    }
}

const std::vector<json_tree> & schema_expansion::list(const json_tree & schema, const char * keyword,
                                                      const json_tree & found) {
    if (!found.is_array() || found.items.empty()) {
        reader_.fail(schema, std::string(keyword) + " must be an array with something in it");
    }
    return found.items;
}

void schema_expansion::read_choices(const json_tree & schema, branch & at) {
    if (const json_tree * all = schema.find("allOf")) {
        for (const json_tree & part : list(schema, "allOf", *all)) {
            at.open.push_back({&part, false});
        }
    }
    if (const json_tree * any = schema.find("anyOf")) {
        choice made;
        for (const json_tree & part : list(schema, "anyOf", *any)) {
            made.push_back({{&part, false}});
        }
        at.choices.push_back(std::move(made));
    }
    if (const json_tree * one = schema.find("oneOf")) {
        read_one_of(schema, list(schema, "oneOf", *one).empty() ? schema : *one, at);
    }
    if (const json_tree * none = schema.find("not")) {
        at.open.push_back({none, true});
    }
    const json_tree * condition = schema.find("if");
    const json_tree * then = schema.find("then");
    const json_tree * otherwise = schema.find("else");
    if (condition && (then || otherwise)) {
        if (!can_negate(*condition, 0)) {
            reader_.note(schema, "if", "what does not satisfy it is beyond a grammar");
            return;
        }
        option yes = {{condition, false}};
        option no = {{condition, true}};
        if (then) {
            yes.push_back({then, false});
        }
        if (otherwise) {
            no.push_back({otherwise, false});
        }
        at.choices.push_back({yes, no});
    }
}

// Of schemas that exclude each other, any one. Of others each with the opposite of the rest.
void schema_expansion::read_one_of(const json_tree & schema, const json_tree & listed, branch & at) {
    const std::vector<json_tree> & parts = listed.items;
    choice made;
    bool told = false;
    const bool few = parts.size() <= 24;
    for (size_t i = 0; i < parts.size(); ++i) {
        option one = {{&parts[i], false}};
        for (size_t j = 0; j < parts.size(); ++j) {
            if (i == j || (few && disjoint(parts[i], parts[j]))) {
                continue;
            }
            if (few && can_negate(parts[j], 0)) {
                one.push_back({&parts[j], true});
            } else if (!told) {
                reader_.note(schema, "oneOf", "several of its schemas may hold at once");
                told = true;
            }
        }
        made.push_back(std::move(one));
    }
    at.choices.push_back(std::move(made));
}

void schema_expansion::read_dependencies(const json_tree & schema, branch & at) {
    for (const char * keyword : {"dependentRequired", "dependentSchemas", "dependencies"}) {
        const json_tree * found = schema.find(keyword);
        if (!found) {
            continue;
        }
        for (const auto & [name, needed] : found->members) {
            const json_tree has = json_array({json_string(name)});
            option without = {synthetic(*found, "without " + name, json_object({{"\1absent", has}}))};
            option with = {synthetic(*found, "with " + name, json_object({{"required", has}}))};
            if (needed.is_array()) {
                with.push_back(synthetic(*found, "needs " + name, json_object({{"required", needed}})));
            } else {
                with.push_back({&needed, false});
            }
            // What is no object is bound by neither; `required` binds objects alone.
            at.choices.push_back({without, with});
        }
    }
}

// What the reader made of parts of schemas; no name begins with such a character elsewhere.
void schema_expansion::read_made(const json_tree & schema, schema_form & form) {
    if (const json_tree * absent = schema.find("\1absent")) {
        form.absent.insert(absent->items[0].text);
    }
    if (const json_tree * values = schema.find("\1not")) {
        for (const json_tree & value : values->items) {
            form.not_values.push_back(&value);
        }
    }
    if (const json_tree * types = schema.find("\1types")) {
        form.types &= static_cast<unsigned>(types->number());
    }
    if (const json_tree * pattern = schema.find("\1pattern")) {
        if (const shared_machine machine = reader_.pattern(pattern->text, schema, "not")) {
            form.texts.push_back(std::make_shared<const char_machine>(machine->complement()));
        }
    }
    if (const json_tree * member = schema.find("\1member")) {
        const auto & [name, what] = member->members[0];
        form.members[name].push_back({&what, true});
    }
}

void schema_expansion::note_unheld(const json_tree & schema) {
    for (const char * keyword :
         {"unevaluatedProperties", "unevaluatedItems", "$dynamicRef", "$recursiveRef"}) {
        const json_tree * found = schema.find(keyword);
        if (found && !(found->type == json_tree::kind::boolean && found->truth)) {
            reader_.note(schema, keyword, "no grammar here holds it");
        }
    }
}

}  // namespace jan
