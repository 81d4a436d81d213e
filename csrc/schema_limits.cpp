#include "schema_limits.h"

#include "error.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <unordered_set>

namespace jan {

namespace {

constexpr size_t max_text = 256 * 1024;
constexpr size_t max_depth = 200;
constexpr int max_schemas = 4000;
constexpr size_t max_name = 1024;  // upstream's std::regex recurses once per character of it
constexpr size_t max_ref = 256;
constexpr size_t max_pattern = 2048;
constexpr int max_patterns = 200;     // each copies all rules so far
constexpr size_t max_optional = 256;  // of one object: the grammar holds every tail of the list
constexpr size_t max_hops = 32;       // from one reference straight to the next
constexpr double max_count = 2000;    // MAX_REPETITION_THRESHOLD of upstream's grammar
constexpr double max_bound = 1e15;    // as many digits as upstream's integers have
constexpr double max_work = 100e6;    // of about 10 ns

// Upstream goes through a schema twice. `building` makes a node of each schema and of what each
// reference names; `writing` makes rules of the nodes, and there `allOf` takes the properties of
// what it refers to as its own, each time anew and without a stop at what is in the making.
enum class pass { building, writing };

// A name as upstream writes it into the grammar: one dash for what is neither letter nor digit.
std::string rule_name(const std::string & name) {
    std::string rule;
    bool in_signs = false;
    for (const char c : name) {
        const bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        const bool kept = is_letter || (c >= '0' && c <= '9') || c == '-';
        if (kept || !in_signs) {
            rule += kept ? c : '-';
        }
        in_signs = !kept;
    }
    return rule;
}

class walk {
  public:
    walk(const json_tree & root, const char * field, pass phase)
        : root_(root), field_(field), phase_(phase) {}

    void schema(const json_tree & at, const std::string & name, size_t depth) {
        enter(name, depth);
        if (!at.is_object()) {
            return;  // upstream says what is wrong with it
        }
        if (const json_tree * ref = at.find("$ref")) {
            return reference(*ref, depth);
        }
        for (const char * key : {"oneOf", "anyOf"}) {
            if (const json_tree * alternatives = at.find(key)) {
                return each(alternatives->items, name, depth);
            }
        }
        const json_tree * type = at.find("type");
        if (type && type->is_array()) {
            return types(at, *type, name, depth);
        }
        if (at.find("const") || at.find("enum")) {
            return;
        }
        of_type(at, type ? type->text : std::string(), name, depth);
    }

  private:
    [[noreturn]] void fail(const std::string & why) const {
        throw error(errc::invalid_argument, std::string(field_) + ": " + why);
    }

    void spend(double work) {
        work_ += work;
        if (work_ > max_work) {
            fail("too large: its optional properties, or names that differ only in what is no letter or "
                 "digit, multiply");
        }
    }

    void enter(const std::string & name, size_t depth) {
        if (depth > max_depth) {
            fail("deeper than " + std::to_string(max_depth) + " schemas, counted along its references");
        }
        if (++n_schemas_ > max_schemas) {
            fail("more than " + std::to_string(max_schemas) + " schemas, counted along its references");
        }
        if (name.size() > max_name) {
            fail("the names on the way to a property add up to more than " + std::to_string(max_name) +
                 " bytes");
        }
        if (phase_ == pass::writing) {
            // Upstream gives a rule whose name is taken the next free number, tried from 0 up.
            spend(6.0 * named_[rule_name(name)]++ + 5.0 * static_cast<double>(name.size()));
        }
    }

    void each(const std::vector<json_tree> & schemas, const std::string & name, size_t depth) {
        size_t i = 0;
        for (const json_tree & one : schemas) {
            schema(one, name + "-" + std::to_string(i++), depth + 1);
        }
    }

    // Upstream copies the schema once per type it may have.
    void types(const json_tree & at, const json_tree & listed, const std::string & name, size_t depth) {
        std::unordered_set<std::string> seen;
        for (const json_tree & type : listed.items) {
            if (!type.is_string() || !seen.insert(type.text).second) {
                fail("type must be a string or an array of different strings");
            }
        }
        if (at.find("allOf")) {
            fail("allOf beside an array of types");
        }
        for (const json_tree & type : listed.items) {
            enter(name, depth + 1);
            spend(10.0 * n_values(at));
            if (!at.find("const") && !at.find("enum")) {
                of_type(at, type.text, name, depth + 1);
            }
        }
    }

    static double n_values(const json_tree & tree) {
        double n = 1;
        for (const json_tree & item : tree.items) {
            n += n_values(item);
        }
        for (const auto & [key, value] : tree.members) {
            n += n_values(value);
        }
        return n;
    }

    // What is neither a reference, a choice nor a constant; the order of the questions is upstream's.
    void of_type(const json_tree & at, const std::string & type, const std::string & name, size_t depth) {
        const json_tree * more = at.find("additionalProperties");
        const bool has_properties = at.find("properties") || (more && !more->truth);
        const bool may_be_object = type.empty() || type == "object";
        if (may_be_object && has_properties) {
            return object(at, name, depth);
        }
        const json_tree * parts = at.find("allOf");
        if (parts && (may_be_object || type == "string")) {
            return all_of(*parts, name, depth);
        }
        const bool has_items = at.find("items") || at.find("prefixItems");
        if (type == "array" || (type.empty() && has_items)) {
            return array(at, name, depth);
        }
        if (type == "string" || type.empty()) {
            return string(at);
        }
        if (type == "integer") {
            integer(at);
        }
    }

    void object(const json_tree & at, const std::string & name, size_t depth) {
        std::vector<std::pair<std::string, const json_tree *>> properties;
        if (const json_tree * listed = at.find("properties")) {
            for (const auto & [key, value] : listed->members) {
                properties.emplace_back(key, &value);
            }
        }
        const json_tree * more = at.find("additionalProperties");
        if (more && (more->is_object() || more->truth)) {
            names_without_signs(properties);
        }
        std::unordered_set<std::string> required;
        if (const json_tree * listed = at.find("required")) {
            for (const json_tree & key : listed->items) {
                required.insert(key.text);
            }
        }
        these(properties, required, name, depth);
        if (more && more->is_object()) {
            schema(*more, name + "-additional-value", depth + 1);
        }
    }

    // What an unlisted property may be called is written as classes of characters, unescaped.
    void
    names_without_signs(const std::vector<std::pair<std::string, const json_tree *>> & properties) const {
        for (const auto & [key, value] : properties) {
            for (const char c : key) {
                if (c == ']' || c == '\\' || c == '"' || c == '^' || static_cast<unsigned char>(c) < 0x20) {
                    fail("a property beside additionalProperties may have none of ] \\ \" ^ in its name");
                }
            }
        }
    }

    void these(const std::vector<std::pair<std::string, const json_tree *>> & properties,
               const std::unordered_set<std::string> & required, const std::string & name, size_t depth) {
        size_t n_optional = 0;
        for (const auto & [key, value] : properties) {
            n_optional += required.count(key) == 0;
            schema(*value, name + (name.empty() ? "" : "-") + key, depth + 1);
        }
        if (n_optional > max_optional) {
            fail("an object with more than " + std::to_string(max_optional) +
                 " optional properties; list them in `required`");
        }
        if (phase_ == pass::writing) {
            const double n = static_cast<double>(n_optional);
            n_tails_ += n;
            spend(n * n * (1.6 * n_tails_ + 2.5 * static_cast<double>(name.size())));
        }
    }

    void all_of(const json_tree & parts, const std::string & name, size_t depth) {
        if (phase_ == pass::building) {
            return each(parts.items, name, depth);
        }
        std::vector<std::pair<std::string, const json_tree *>> properties;
        std::unordered_set<std::string> required;
        for (const json_tree & part : parts.items) {
            const json_tree * choice = part.find("oneOf") ? part.find("oneOf") : part.find("anyOf");
            if (choice && !part.find("$ref")) {
                for (const json_tree & one : choice->items) {
                    component(one, properties);
                }
            } else {
                const size_t first = properties.size();
                component(part, properties);
                for (size_t i = first; i < properties.size(); i++) {
                    required.insert(properties[i].first);
                }
            }
        }
        these(properties, required, name, depth);
    }

    void component(const json_tree & part,
                   std::vector<std::pair<std::string, const json_tree *>> & properties) {
        const json_tree * at = &part;
        for (size_t hops = 0; const json_tree * ref = at->find("$ref"); hops++) {
            if (hops == max_hops) {
                fail("a $ref below allOf leads through more than " + std::to_string(max_hops) + " others");
            }
            at = &target(*ref);
        }
        if (const json_tree * listed = at->find("properties")) {
            for (const auto & [key, value] : listed->members) {
                properties.emplace_back(key, &value);
            }
        }
    }

    void reference(const json_tree & ref, size_t depth) {
        const json_tree & found = target(ref);
        if (seen_.insert(ref.text).second) {
            schema(found, "ref" + ref.text.substr(1), depth + 1);
        }
    }

    const json_tree & target(const json_tree & ref) {
        if (!ref.is_string() || ref.text.compare(0, 2, "#/") != 0) {
            fail("$ref must be \"#/...\": nothing outside the schema is read");
        }
        if (ref.text.size() > max_ref) {
            fail("a $ref longer than " + std::to_string(max_ref) + " bytes");
        }
        const json_tree * at = &root_;
        size_t begin = 2;
        while (begin <= ref.text.size()) {
            const size_t end = std::min(ref.text.find('/', begin), ref.text.size());
            at = step(*at, ref.text.substr(begin, end - begin));
            if (!at) {
                fail("$ref " + ref.text + " names nothing in the schema");
            }
            begin = end + 1;
        }
        if (++n_resolved_ > 16 * max_schemas) {
            fail("too many references");
        }
        one_rule_each(ref.text);
        return *at;
    }

    static const json_tree * step(const json_tree & at, const std::string & key) {
        if (at.is_object()) {
            return at.find(key);
        }
        const bool is_index = at.is_array() && !key.empty() && key.size() < 6 &&
                              key.find_first_not_of("0123456789") == std::string::npos &&
                              (key.size() == 1 || key[0] != '0');
        const size_t index = is_index ? std::stoul(key) : 0;
        return is_index && index < at.items.size() ? &at.items[index] : nullptr;
    }

    // Upstream keeps a referenced schema's rule under the reference less its signs, and takes the
    // first one for every other of that name.
    void one_rule_each(const std::string & ref) {
        const auto [found, is_new] = ref_rules_.emplace(rule_name(ref), ref);
        if (!is_new && found->second != ref) {
            fail("$ref " + found->second + " and $ref " + ref +
                 " differ only in what is neither a letter nor a digit");
        }
    }

    void array(const json_tree & at, const std::string & name, size_t depth) {
        const json_tree * items = at.find("items") ? at.find("items") : at.find("prefixItems");
        if (items && items->is_array()) {
            return each(items->items, name + "-tuple", depth);
        }
        if (items) {
            schema(*items, name + "-item", depth + 1);
        }
        counts(at, "minItems", "maxItems");
    }

    void string(const json_tree & at) {
        if (const json_tree * pattern = at.find("pattern")) {
            if (pattern->text.size() > max_pattern) {
                fail("a pattern longer than " + std::to_string(max_pattern) + " bytes");
            }
            if (pattern->text.find('\0') != std::string::npos) {
                fail("a pattern with a zero character");
            }
            if (++n_patterns_ > max_patterns) {
                fail("more than " + std::to_string(max_patterns) + " patterns");
            }
        }
        counts(at, "minLength", "maxLength");
    }

    void counts(const json_tree & at, const char * low, const char * high) const {
        for (const char * key : {low, high}) {
            if (const json_tree * count = at.find(key);
                count && (!count->is_number() || count->number() < 0 || count->number() > max_count)) {
                fail(std::string(key) + " must be a number from 0 to 2000");
            }
        }
        const json_tree * most = at.find(high);
        if (at.find(low) && most && at.find(low)->number() > most->number()) {
            fail(std::string(low) + " is more than " + high);
        }
    }

    void integer(const json_tree & at) const {
        for (const char * key : {"minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum"}) {
            if (const json_tree * bound = at.find(key);
                bound && (!bound->is_number() || !(std::fabs(bound->number()) < max_bound))) {
                fail(std::string(key) + " must be a number within 10^15");
            }
        }
        const json_tree * low = at.find("minimum");
        const json_tree * above = at.find("exclusiveMinimum");
        const json_tree * high = at.find("maximum");
        const json_tree * below = at.find("exclusiveMaximum");
        if ((low || above) && (high || below)) {
            const double least = low ? std::ceil(low->number()) : std::floor(above->number()) + 1;
            const double most = high ? std::floor(high->number()) : std::ceil(below->number()) - 1;
            if (least > most) {
                fail("no integer lies between its bounds");
            }
        }
    }

    const json_tree & root_;
    const char * field_;
    const pass phase_;
    int n_schemas_ = 0;
    int n_patterns_ = 0;
    int n_resolved_ = 0;
    double n_tails_ = 0;
    double work_ = 0;
    std::unordered_set<std::string> seen_;  // references whose schema was gone into
    std::unordered_map<std::string, double> named_;
    std::unordered_map<std::string, std::string> ref_rules_;
};

}  // namespace

void check_schema(const json_tree & schema, const char * field) {
    walk(schema, field, pass::building).schema(schema, "", 1);
    walk(schema, field, pass::writing).schema(schema, "", 1);
}

void check_schema_text(std::string_view text, const char * field) {
    json_limits limits;
    limits.n_bytes = max_text;
    check_schema(parse_json(text, field, limits), field);
}

}  // namespace jan
