#include "schema/schema_reader.h"

#include "error.h"
#include "schema/pattern.h"
#include "schema/schema_expansion.h"

#include <algorithm>
#include <cstdio>
#include <utility>

namespace jan {

namespace {

constexpr size_t most_forms_of_all = 20'000;
constexpr size_t deepest = 60;  // goals that are asked about while others are

// As a part of a pointer in a URI (RFC 6901, section 6): it can stand in a header, and between other words.
void append_key(const std::string & name, std::string & place) {
    for (const char c : name) {
        const bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                           c == '-' || c == '_' || c == '.' || c == '$' || c == '@';
        if (plain || c == '~' || c == '/') {
            place += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
            continue;
        }
        char escaped[4];
        std::snprintf(escaped, sizeof(escaped), "%%%02X",
                      static_cast<unsigned>(static_cast<unsigned char>(c)));
        place += escaped;
    }
}

// Whether it is below `at`, and the way there.
bool find_place(const json_tree & at, const json_tree & what, std::string & place) {
    if (&at == &what) {
        return true;
    }
    const size_t n = place.size();
    for (size_t i = 0; i < at.items.size(); ++i) {
        place += "/" + std::to_string(i);
        if (find_place(at.items[i], what, place)) {
            return true;
        }
        place.resize(n);
    }
    for (const auto & [name, member] : at.members) {
        place += '/';
        append_key(name, place);
        if (find_place(member, what, place)) {
            return true;
        }
        place.resize(n);
    }
    return false;
}

}  // namespace

schema_reader::schema_reader(const json_tree & root, std::string field, std::string place)
    : root_(root), field_(std::move(field)), place_(std::move(place)) {}

schema_goal schema_reader::goal() const {
    schema_goal all;
    all.add({&root_, false});
    return all;
}

std::string schema_reader::place_of(const json_tree & at) const {
    const json_tree * what = &at;
    for (const auto & [key, schema] : made_) {
        what = schema == what ? key.first : what;
    }
    std::string place = place_;
    return find_place(root_, *what, place) ? place : place_;
}

void schema_reader::fail(const json_tree & at, const std::string & why) const {
    throw error(errc::invalid_argument, field_ + ": at " + place_of(at) + ": " + why);
}

void schema_reader::fail_of_choices() const {
    throw error(errc::invalid_argument,
                field_ + ": its choices multiply: anyOf, oneOf, if and not in each other make too many");
}

void schema_reader::fail_of_size() const {
    throw error(errc::invalid_argument, field_ + ": its grammar is larger than 1 MiB");
}

void schema_reader::note(const json_tree & at, const char * keyword, const std::string & why) {
    if (notes_.size() < 64) {
        notes_.insert({place_of(at), keyword, why});
    }
}

const std::vector<schema_form> & schema_reader::forms(const schema_goal & of) {
    const auto found = forms_.find(of);
    if (found != forms_.end()) {
        return found->second;
    }
    if (++depth_ > deepest) {
        fail_of_choices();
    }
    std::vector<schema_form> made;
    schema_expansion(*this, made).run(of);
    --depth_;
    n_forms_ += made.size();
    if (n_forms_ > most_forms_of_all) {
        fail_of_choices();
    }
    return forms_.emplace(of, std::move(made)).first->second;
}

bool schema_reader::possible(const schema_goal & of) {
    if (!asked_.insert(of).second) {
        return true;  // it is being worked out: nobody knows yet
    }
    bool any = false;
    for (const schema_form & form : forms(of)) {
        const bool object_alone = form.types == object_type && !form.values;
        any = any || !object_alone ||
              std::all_of(form.required.begin(), form.required.end(), [&](const std::string & name) {
                  const std::optional<schema_goal> what = property(form, name);
                  return what && possible(*what);
              });
    }
    asked_.erase(of);
    return any;
}

const json_tree & schema_reader::made(const json_tree & of, const std::string & what, json_tree schema) {
    const auto [found, added] = made_.emplace(std::make_pair(&of, what), nullptr);
    if (added) {
        owned_.push_back(std::move(schema));
        found->second = &owned_.back();
    }
    return *found->second;
}

const json_tree & schema_reader::target(const json_tree & at, const std::string & ref) const {
    if (ref.empty() || ref[0] != '#' || (ref.size() > 1 && ref[1] != '/')) {
        fail(at, "$ref must be \"#/...\": nothing outside the schema is read");
    }
    const json_tree * found = &root_;
    for (size_t begin = 2; found && begin <= ref.size() && ref.size() > 1;) {
        const size_t end = std::min(ref.find('/', begin), ref.size());
        std::string key;
        for (size_t i = begin; i < end; ++i) {
            const bool escaped = ref[i] == '~' && i + 1 < end && (ref[i + 1] == '0' || ref[i + 1] == '1');
            key += escaped ? (ref[i + 1] == '0' ? '~' : '/') : ref[i];
            i += escaped;
        }
        if (found->is_array()) {
            const bool is_index =
                !key.empty() && key.size() < 6 && key.find_first_not_of("0123456789") == std::string::npos;
            const size_t index = is_index ? std::stoul(key) : found->items.size();
            found = index < found->items.size() ? &found->items[index] : nullptr;
        } else {
            found = found->find(key);
        }
        begin = end + 1;
    }
    if (!found) {
        fail(at, "$ref " + ref.substr(0, 200) + " names nothing in the schema");
    }
    return *found;
}

shared_machine schema_reader::pattern(const std::string & text, const json_tree & at, const char * keyword) {
    const auto found = patterns_.find(text);
    if (found != patterns_.end()) {
        if (!found->second) {
            note(at, keyword, "see the other place of this pattern");
        }
        return found->second;
    }
    shared_machine made;
    try {
        made = std::make_shared<const char_machine>(pattern_machine(text));
    } catch (const pattern_unheld & e) {
        note(at, keyword, e.what());
    } catch (const std::invalid_argument & e) {
        fail(at, "the pattern " + text.substr(0, 200) + " is none: " + e.what());
    }
    patterns_.emplace(text, made);
    return made;
}

std::vector<std::string> schema_reader::names(const schema_form & of) const {
    std::vector<std::string> found;
    const auto add = [&](const std::string & name) {
        if (std::find(found.begin(), found.end(), name) == found.end()) {
            found.push_back(name);
        }
    };
    for (const object_demands & part : of.objects) {
        for (size_t i = 0; part.properties && i < part.properties->members.size(); ++i) {
            add(part.properties->members[i].first);
        }
    }
    std::for_each(of.required.begin(), of.required.end(), add);
    for (const auto & [name, demands] : of.members) {
        add(name);
    }
    std::for_each(of.absent.begin(), of.absent.end(), add);
    return found;
}

std::optional<schema_goal> schema_reader::property(const schema_form & within, const std::string & name) {
    if (within.absent.count(name) != 0) {
        return std::nullopt;
    }
    schema_goal all;
    for (const object_demands & part : within.objects) {
        const json_tree * listed = part.properties ? part.properties->find(name) : nullptr;
        bool known = listed != nullptr;
        if (listed) {
            all.add({listed, false});
        }
        for (size_t i = 0; part.patterns && i < part.patterns->members.size(); ++i) {
            const auto & [text, what] = part.patterns->members[i];
            const shared_machine machine = pattern(text, *part.patterns, "patternProperties");
            if (machine && machine->accepts(name)) {
                all.add({&what, false});
                known = true;
            }
        }
        if (!known && part.rest) {
            all.add({part.rest, false});
        }
    }
    const auto more = within.members.find(name);
    for (size_t i = 0; more != within.members.end() && i < more->second.size(); ++i) {
        all.add(more->second[i]);
    }
    for (const schema_demand & demand : all.demands) {
        if (demand.schema->type == json_tree::kind::boolean && demand.schema->truth == demand.negated) {
            return std::nullopt;
        }
    }
    const json_tree text = json_string(name);
    for (const schema_demand & demand : within.names) {
        schema_goal of_name;
        of_name.add(demand);
        if (!holds(of_name, text)) {
            return std::nullopt;
        }
    }
    return all;
}

shared_machine schema_reader::name_machine(const schema_form & of) {
    shared_machine all;
    for (const schema_demand & demand : of.names) {
        schema_goal of_name;
        of_name.add(demand);
        of_name.types = string_type;
        std::optional<char_machine> any = char_machine();
        for (const schema_form & form : forms(of_name)) {
            const std::optional<char_machine> one = text_machine(form);
            any = any && one ? any->either(*one) : std::nullopt;
        }
        const std::optional<char_machine> both = any && all ? all->both(*any) : any;
        if (!both) {
            note(*demand.schema, "propertyNames", "it takes too many states");
            continue;
        }
        all = std::make_shared<const char_machine>(*both);
    }
    return all;
}

std::optional<char_machine> schema_reader::text_machine(const schema_form & form) {
    if (form.values) {
        std::vector<std::string> texts;
        for (const json_tree * value : *form.values) {
            if (value->is_string()) {
                texts.push_back(value->text);
            }
        }
        return char_machine::of_texts(texts);
    }
    std::optional<char_machine> made = char_machine::any_text();
    for (const shared_machine & text : form.texts) {
        made = made ? made->both(*text) : made;
    }
    std::vector<std::string> banned;
    for (const json_tree * value : form.not_values) {
        if (value->is_string()) {
            banned.push_back(value->text);
        }
    }
    if (made && !banned.empty()) {
        made = made->both(char_machine::of_texts(banned).complement());
    }
    return made ? made->within(form.min_length, form.max_length) : made;
}

schema_goal schema_reader::item(const schema_form & within, size_t at) const {
    schema_goal all;
    for (const array_demands & part : within.arrays) {
        const json_tree * what = at < part.prefix.size() ? part.prefix[at] : part.rest;
        if (what) {
            all.add({what, false});
        }
    }
    return all;
}

}  // namespace jan
