// Writes what a schema_reader reads as rules of a grammar.
#pragma once

#include "schema/rule_book.h"
#include "schema/schema_reader.h"

#include <map>
#include <string>
#include <vector>

namespace jan {

class schema_writer {
  public:
    schema_writer(schema_reader & reader, std::string prefix) : reader_(reader), book_(std::move(prefix)) {}

    // GBNF, without common_json_rules(); its first rule is the goal's. Throws invalid_argument where
    // nothing satisfies the goal, and for a grammar of more than 1 MiB.
    std::string write(const schema_goal & goal);
    std::string root() const { return book_.name(root_); }

  private:
    using alternative = rule_book::alternative;

    int rule_for(const schema_goal & goal);
    void write_goal(const schema_goal & goal, int rule);
    void write_form(const schema_form & form, int rule);
    void write_numbers(const schema_form & form, int rule);
    void write_strings(const schema_form & form, int rule);
    void write_array(const schema_form & form, int rule);
    void write_counted_array(const schema_form & form, int rule);
    bool write_distinct(const schema_form & form, int rule);
    void write_object(const schema_form & form, int rule);
    int object_tail(const schema_form & form, size_t at, int n_before);
    void add_open_names(const schema_form & form, const std::vector<std::string> & known);
    void check_size() const;

    // Of the object that is being written.
    struct open_object {
        std::vector<std::string> names;
        std::vector<int> members;  // of each name: name and value; -1: it may not be there
        std::vector<bool> required;
        int open = -1;  // a rule of any other member
        int n_counted = 0;
        std::map<std::pair<size_t, int>, int> tails;
    };

    schema_reader & reader_;
    rule_book book_;
    int root_ = 0;
    std::map<schema_goal, int> rules_;
    std::vector<schema_goal> unwritten_;
    open_object object_;
};

}  // namespace jan
