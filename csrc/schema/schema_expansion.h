// From a goal to its forms: follows every reference and every choice. One object for one goal.
#pragma once

#include "schema/schema_reader.h"

#include <set>
#include <string>
#include <vector>

namespace jan {

class schema_expansion {
  public:
    schema_expansion(schema_reader & reader, std::vector<schema_form> & into)
        : reader_(reader), into_(into) {}

    void run(const schema_goal & of);

  private:
    using option = std::vector<schema_demand>;
    using choice = std::vector<option>;

    // One way through the choices: what is known, and what is still to be read.
    struct branch {
        schema_form form;
        std::vector<schema_demand> open;
        std::set<schema_demand> seen;
        std::vector<choice> choices;
    };

    void follow(branch at, int depth);
    void finish(schema_form form);
    void read(const json_tree & schema, branch & at);
    void read_types(const json_tree & schema, branch & at);
    void read_choices(const json_tree & schema, branch & at);
    void read_one_of(const json_tree & schema, const json_tree & listed, branch & at);
    void read_numbers(const json_tree & schema, schema_form & form);
    void read_strings(const json_tree & schema, schema_form & form);
    void read_arrays(const json_tree & schema, schema_form & form);
    void read_objects(const json_tree & schema, branch & at);
    void read_dependencies(const json_tree & schema, branch & at);
    void read_made(const json_tree & schema, schema_form & form);
    void note_unheld(const json_tree & schema);
    void count(const json_tree & schema, const char * low, const char * high, int & least, int & most);

    void negate(const json_tree & schema, branch & at);
    bool options_against(const json_tree & schema, choice & into);
    bool can_negate(const json_tree & schema, int depth);
    bool disjoint(const json_tree & a, const json_tree & b);
    schema_demand synthetic(const json_tree & of, const std::string & what, json_tree made);

    const std::vector<json_tree> & list(const json_tree & schema, const char * keyword,
                                        const json_tree & found);

    schema_reader & reader_;
    std::vector<schema_form> & into_;
    int n_branches_ = 0;
};

// A JSON object of so many members, for schemas that stand for a part of another.
json_tree json_object(std::vector<std::pair<std::string, json_tree>> members);
json_tree json_string(std::string text);
json_tree json_number(const std::string & text);
json_tree json_array(std::vector<json_tree> items);

}  // namespace jan
