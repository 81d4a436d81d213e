// Arrays and objects of a schema as rules.
#include "schema/schema_writer.h"

#include <algorithm>
#include <functional>
#include <utility>

namespace jan {

namespace {

constexpr int most_distinct = 10;  // values of an array without the same twice: a rule for each set of them
constexpr int most_counted_rules = 20'000;
constexpr size_t most_patterns = 4;  // of names: a machine for each set of them

std::string times(int least, int most) {
    return "{" + std::to_string(least) + "," + (most < 0 ? "" : std::to_string(most)) + "}";
}

const std::string comma = "\",\" space ";
const std::string array_end = "space \"]\"";
const std::string object_end = "space \"}\"";

}  // namespace

void schema_writer::write_array(const schema_form & given, int rule) {
    schema_form form = given;
    size_t n_prefix = 0;
    bool says_rest = false;
    for (const array_demands & part : form.arrays) {
        n_prefix = std::max(n_prefix, part.prefix.size());
        says_rest = says_rest || part.rest;
    }
    const auto n_listed = static_cast<int>(n_prefix);
    if (n_prefix > 0) {  // who lists items means them all, and no others, unless it says so
        const int listed = form.max_items < 0 ? n_listed : std::min(n_listed, form.max_items);
        form.min_items = form.says_min_items ? form.min_items : std::max(form.min_items, listed);
        const int most = std::max(n_listed, form.min_items);
        form.max_items = says_rest            ? form.max_items
                         : form.max_items < 0 ? most
                                              : std::min(form.max_items, most);
    }
    if (form.unique && form.max_items != 0 && form.max_items != 1) {
        if (n_prefix == 0 && form.contains.empty() && write_distinct(form, rule)) {
            return;
        }
        reader_.note(*form.unique_at, "uniqueItems",
                     "it is held for up to " + std::to_string(most_distinct) + " values that are listed");
    }
    if (!form.contains.empty() || n_prefix > 0) {
        write_counted_array(form, rule);
        return;
    }
    const int item = rule_for(reader_.item(form, 0));
    if (form.min_items == 0) {
        book_.add(rule, {{"\"[\" space \"]\""}});
    }
    if (form.max_items != 0) {
        const int least = std::max(0, form.min_items - 1);
        const int most = form.max_items < 0 ? -1 : form.max_items - 1;
        alternative some = {{"\"[\" space ", item, ""}};
        if (most != 0) {
            some.push_back({"(" + comma, item, ")" + times(least, most), least == 0});
        }
        some.push_back({array_end});
        book_.add(rule, std::move(some));
    }
}

// By how many there are and how many of them are what it has to contain.
void schema_writer::write_counted_array(const schema_form & form, int rule) {
    contains_demand contained{nullptr, 0, -1};
    if (!form.contains.empty()) {
        contained = form.contains[0];
    }
    if (form.contains.size() > 1) {
        reader_.note(*form.contains[1].what, "contains", "one of them is held");
    }
    size_t n_prefix = 0;
    for (const array_demands & part : form.arrays) {
        n_prefix = std::max(n_prefix, part.prefix.size());
    }
    const int n_items = std::max({1, static_cast<int>(n_prefix), form.min_items, form.max_items});
    int n_found = contained.most < 0 ? contained.least : contained.most;
    if (contained.what && static_cast<int64_t>(n_items) * (n_found + 1) > most_counted_rules) {
        reader_.note(*contained.what, "contains", "with the number of items it takes too many rules");
        contained = {nullptr, 0, -1};
        n_found = 0;
    }
    std::map<std::pair<int, int>, int> states;
    std::vector<std::pair<int, int>> open;
    const auto state = [&](int n, int found) {
        const std::pair<int, int> key = {std::min(n, n_items), std::min(found, n_found)};
        const auto [at, added] = states.emplace(key, -1);
        if (added) {
            at->second = book_.add();
            open.push_back(key);
        }
        return at->second;
    };
    book_.add(rule, {{"\"[\" space ", state(0, 0), ""}});
    while (!open.empty()) {
        const auto [n, found] = open.back();
        open.pop_back();
        const int here = states.at({n, found});
        check_size();
        if (n >= form.min_items && found >= contained.least) {
            book_.add(here, {{n == 0 ? "\"]\"" : array_end}});
        }
        if (form.max_items >= 0 && n >= form.max_items) {
            continue;
        }
        const std::string before = n == 0 ? "" : comma;
        schema_goal item = reader_.item(form, static_cast<size_t>(n));
        schema_goal match = item;
        if (contained.what) {
            match.add({contained.what, false});
        }
        const bool may_match = contained.most < 0 ? found < contained.least : found < contained.most;
        if (contained.what && may_match) {
            book_.add(here, {{before, rule_for(match), " "}, {"", state(n + 1, found + 1), ""}});
        }
        if (contained.what && contained.most >= 0) {
            item.add({contained.what, true});
        }
        book_.add(here, {{before, rule_for(item), " "}, {"", state(n + 1, found), ""}});
    }
}

bool schema_writer::write_distinct(const schema_form & form, int rule) {
    std::vector<std::string> texts;
    std::vector<const json_tree *> values;
    for (const schema_form & item : reader_.forms(reader_.item(form, 0))) {
        if (!item.values && (item.types & ~static_cast<unsigned>(boolean_type | null_type)) != 0) {
            return false;
        }
        std::vector<std::string> more;
        for (size_t i = 0; item.values && i < item.values->size(); ++i) {
            const json_tree * value = (*item.values)[i];
            const auto same = [&](const json_tree * other) { return same_json(*value, *other); };
            if (std::none_of(values.begin(), values.end(), same)) {
                values.push_back(value);
                more.push_back(json_text(*value));
            }
        }
        if (!item.values && (item.types & boolean_type)) {
            more.insert(more.end(), {"true", "false"});
        }
        if (!item.values && (item.types & null_type)) {
            more.emplace_back("null");
        }
        for (const std::string & text : more) {
            if (std::find(texts.begin(), texts.end(), text) == texts.end()) {
                texts.push_back(text);
            }
        }
    }
    const auto n = static_cast<int>(texts.size());
    if (n > most_distinct) {
        return false;
    }
    std::vector<int> taken;  // a rule for each set of values that are there already
    for (int set = 0; set < 1 << n; ++set) {
        taken.push_back(book_.add());
    }
    for (int set = 0; set < 1 << n; ++set) {
        int n_taken = 0;
        for (int i = 0; i < n; ++i) {
            n_taken += set >> i & 1;
        }
        const int here = taken[static_cast<size_t>(set)];
        if (n_taken >= form.min_items && (form.max_items < 0 || n_taken <= form.max_items)) {
            book_.add(here, {{n_taken == 0 ? "\"]\"" : array_end}});
        }
        for (int i = 0; i < n && (form.max_items < 0 || n_taken < form.max_items); ++i) {
            if ((set >> i & 1) == 0) {
                const std::string before = n_taken == 0 ? "" : comma;
                book_.add(here, {{before + gbnf_text(texts[static_cast<size_t>(i)]) + " ",
                                  taken[static_cast<size_t>(set | 1 << i)], ""}});
            }
        }
    }
    book_.add(rule, {{"\"[\" space ", taken[0], ""}});
    return true;
}

void schema_writer::write_object(const schema_form & form, int rule) {
    object_ = open_object();
    object_.names = reader_.names(form);
    for (const std::string & name : object_.names) {
        const std::optional<schema_goal> what = reader_.property(form, name);
        object_.required.push_back(form.requires_property(name));
        if (!what) {
            object_.members.push_back(-1);
            if (object_.required.back()) {
                return;  // it must be there and cannot
            }
            continue;
        }
        std::string text;
        append_json_string(name, text);
        const int member = book_.add();
        book_.add(member, {{gbnf_text(text) + " space \":\" space ", rule_for(*what), ""}});
        object_.members.push_back(member);
    }
    add_open_names(form, object_.names);
    object_.n_counted = std::max({1, form.min_properties, form.max_properties});
    book_.add(rule, {{"\"{\" space ", object_tail(form, 0, 0), ""}});
    // Each tail names later ones only, so they are written from a list and not by recursion.
    std::map<std::pair<size_t, int>, int> written;
    while (written.size() < object_.tails.size()) {
        const std::map<std::pair<size_t, int>, int> all = object_.tails;
        for (const auto & [key, tail] : all) {
            if (!written.emplace(key, tail).second) {
                continue;
            }
            check_size();
            const auto [at, n] = key;
            const std::string before = n == 0 ? "" : comma;
            if (at < object_.names.size()) {
                if (object_.members[at] >= 0 && (form.max_properties < 0 || n < form.max_properties)) {
                    book_.add(tail, {{before, object_.members[at], " "},
                                     {"", object_tail(form, at + 1, n + 1), ""}});
                }
                if (!object_.required[at]) {
                    book_.add(tail, {{"", object_tail(form, at + 1, n), ""}});
                }
                continue;
            }
            const int least = std::max(0, form.min_properties - n);
            const int most = object_.open < 0 ? 0 : form.max_properties < 0 ? -1 : form.max_properties - n;
            if (least == 0) {
                book_.add(tail, {{n == 0 ? "\"}\"" : object_end}});
            }
            if (most == 0) {
                continue;
            }
            alternative more = {{before, object_.open, " "}};
            if (most != 1) {
                more.push_back({"(" + comma, object_.open,
                                ")" + times(std::max(0, least - 1), most < 0 ? -1 : most - 1), least <= 1});
            }
            more.push_back({object_end});
            book_.add(tail, std::move(more));
        }
    }
}

// What follows the first `at` names when so many members are there.
int schema_writer::object_tail(const schema_form &, size_t at, int n_before) {
    const auto [found, added] =
        object_.tails.emplace(std::make_pair(at, std::min(n_before, object_.n_counted)), -1);
    if (added) {
        found->second = book_.add();
    }
    return found->second;
}

// Members that are not spoken of by name.
void schema_writer::add_open_names(const schema_form & form, const std::vector<std::string> & known) {
    struct named {
        shared_machine machine;
        const object_demands * of;
        const json_tree * what;
    };
    std::vector<named> patterns;
    bool says_rest = false;
    bool lists = !form.members.empty();
    for (const object_demands & part : form.objects) {
        says_rest = says_rest || part.rest;
        lists = lists || part.properties || part.patterns;
        for (size_t i = 0; part.patterns && i < part.patterns->members.size(); ++i) {
            const auto & [text, what] = part.patterns->members[i];
            if (const shared_machine machine = reader_.pattern(text, *part.patterns, "patternProperties")) {
                patterns.push_back({machine, &part, &what});
            }
        }
    }
    // Who lists members means no others, unless it says so or asks for more.
    const bool others = says_rest || !lists || form.min_properties > static_cast<int>(known.size());
    if (patterns.size() > most_patterns) {
        reader_.note(*patterns[most_patterns].what, "patternProperties",
                     "of one object " + std::to_string(most_patterns) + " are held");
        patterns.resize(most_patterns);
    }
    if (!others && patterns.empty()) {
        return;
    }
    const shared_machine bound = reader_.name_machine(form);
    std::optional<char_machine> base = bound ? *bound : char_machine::any_text();
    if (!known.empty()) {
        base = base->both(char_machine::of_texts(known).complement());
    }
    const bool any_name = !bound && known.empty() && patterns.empty();
    const int open = book_.add();
    for (unsigned set = 0; set < 1u << patterns.size(); ++set) {
        std::optional<char_machine> names = base;
        schema_goal what;
        for (size_t i = 0; i < patterns.size() && names; ++i) {
            const bool matches = set >> i & 1;
            names = names->both(matches ? *patterns[i].machine : patterns[i].machine->complement());
            if (matches) {
                what.add({patterns[i].what, false});
            }
        }
        for (const object_demands & part : form.objects) {
            bool matched = false;
            for (size_t i = 0; i < patterns.size(); ++i) {
                matched = matched || (patterns[i].of == &part && (set >> i & 1));
            }
            if (!matched && part.rest) {
                what.add({part.rest, false});
            }
        }
        if (!names) {
            reader_.note(reader_.root(), "patternProperties", "the names take too many states");
            continue;
        }
        const bool never = std::any_of(what.demands.begin(), what.demands.end(), [](const schema_demand & d) {
            return d.schema->type == json_tree::kind::boolean && !d.schema->truth;
        });
        if ((set == 0 && !others) || names->empty() || never) {
            continue;
        }
        object_.open = open;
        const int value = rule_for(what);
        if (any_name) {
            book_.add(open, {{"jan-string space \":\" space ", value, ""}});
        } else {
            book_.add(open,
                      {{"\"\\\"\" ", book_.add_machine(*names, "\"\\\"\"", true), " space \":\" space "},
                       {"", value, ""}});
        }
    }
}

}  // namespace jan
