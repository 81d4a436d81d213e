#include "schema/schema_writer.h"

#include <algorithm>
#include <utility>

namespace jan {

namespace {

constexpr size_t most_rules = 60'000;
constexpr size_t most_bytes = 1 << 20;

}  // namespace

std::string schema_writer::write(const schema_goal & goal) {
    root_ = rule_for(goal);
    while (!unwritten_.empty()) {
        const schema_goal next = std::move(unwritten_.back());
        unwritten_.pop_back();
        write_goal(next, rules_.at(next));
        check_size();
    }
    return book_.text(root_);
}

void schema_writer::check_size() const {
    if (book_.n_rules() > most_rules || book_.n_bytes() > most_bytes) {
        reader_.fail_of_size();
    }
}

int schema_writer::rule_for(const schema_goal & goal) {
    const auto [found, added] = rules_.emplace(goal, -1);
    if (added) {
        found->second = book_.add();
        unwritten_.push_back(goal);
    }
    return found->second;
}

void schema_writer::write_goal(const schema_goal & goal, int rule) {
    if (goal.demands.empty() && goal.types == all_types) {
        book_.add(rule, {{"jan-value"}});
        return;
    }
    for (const schema_form & form : reader_.forms(goal)) {
        write_form(form, rule);
        check_size();
    }
}

void schema_writer::write_form(const schema_form & form, int rule) {
    if (form.values) {
        for (const json_tree * value : *form.values) {
            book_.add(rule, {{gbnf_text(json_text(*value))}});
        }
        return;
    }
    const auto banned = [&](json_tree::kind kind, bool truth) {
        return std::any_of(form.not_values.begin(), form.not_values.end(), [&](const json_tree * value) {
            return value->type == kind && value->truth == truth;
        });
    };
    if ((form.types & null_type) && !banned(json_tree::kind::null, false)) {
        book_.add(rule, {{"\"null\""}});
    }
    for (const bool truth : {true, false}) {
        if ((form.types & boolean_type) && !banned(json_tree::kind::boolean, truth)) {
            book_.add(rule, {{truth ? "\"true\"" : "\"false\""}});
        }
    }
    if (form.types & (integer_type | fraction_type)) {
        write_numbers(form, rule);
    }
    if (form.types & string_type) {
        write_strings(form, rule);
    }
    if (form.types & array_type) {
        write_array(form, rule);
    }
    if (form.types & object_type) {
        write_object(form, rule);
    }
}

void schema_writer::write_numbers(const schema_form & form, int rule) {
    number_range range = form.numbers;
    range.integers = (form.types & fraction_type) == 0;
    std::vector<std::string> banned;
    for (const json_tree * value : form.not_values) {
        if (value->is_number()) {
            banned.push_back(value->text);
        }
    }
    const bool fractions_alone = (form.types & integer_type) == 0;
    if (range.any() && banned.empty() && !fractions_alone) {
        book_.add(rule, {{range.integers ? "jan-integer" : "jan-number"}});
        return;
    }
    std::optional<char_machine> made = number_machine(range);
    const auto without = [&](const std::string & pattern) {
        const shared_machine machine = reader_.pattern(pattern, reader_.root(), "not");
        made = made && machine ? made->both(machine->complement()) : made;
    };
    if (fractions_alone) {
        without("^[^.]*(\\.0*)?$");
    }
    for (const std::string & text : banned) {
        const std::optional<decimal> number = read_decimal(text);
        if (number) {
            const std::string digits =
                number->whole + (number->fraction.empty() ? "(\\.0*)?" : "\\." + number->fraction + "0*");
            without((number->negative ? "^-" : "^") + digits + "$");
        }
    }
    if (!made) {
        reader_.note(reader_.root(), "minimum", "the bounds and multiples of a number take too many states");
        book_.add(rule, {{range.integers ? "jan-integer" : "jan-number"}});
        return;
    }
    if (!made->empty()) {
        book_.add(rule, {{"", book_.add_machine(*made, "", false), ""}});
    }
}

void schema_writer::write_strings(const schema_form & form, int rule) {
    const bool bans = std::any_of(form.not_values.begin(), form.not_values.end(),
                                  [](const json_tree * value) { return value->is_string(); });
    const auto counted = [&] {
        const std::string most = form.max_length < 0 ? "" : std::to_string(form.max_length);
        const std::string times = form.min_length == 0 && form.max_length < 0
                                      ? "*"
                                      : "{" + std::to_string(form.min_length) + "," + most + "}";
        book_.add(rule, {{"\"\\\"\" jan-char" + times + " \"\\\"\""}});
    };
    if (form.texts.empty() && !bans) {
        counted();
        return;
    }
    const std::optional<char_machine> made = reader_.text_machine(form);
    if (!made) {
        reader_.note(reader_.root(), "pattern", "with what else its text has to be it takes too many states");
        counted();
    } else if (!made->empty()) {
        book_.add(rule, {{"\"\\\"\" ", book_.add_machine(*made, "\"\\\"\"", true), ""}});
    }
}

}  // namespace jan
