// Reads a schema into forms: see schema_form.h.
#pragma once

#include "schema/schema_form.h"

#include <deque>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace jan {

// For one thread. Everything it hands out lives as long as it does, and as the schema.
class schema_reader {
  public:
    // `field` begins the messages of what it throws, `place` the pointers in them: "#" or, where the
    // schema is a part of something, the way to it.
    schema_reader(const json_tree & root, std::string field, std::string place = "#");

    schema_goal goal() const;

    // The ways to satisfy it; none: nothing does. Throws invalid_argument for what is no schema, and
    // for one that asks for more than a grammar has room for.
    const std::vector<schema_form> & forms(const schema_goal & of);

    bool holds(const schema_goal & of, const json_tree & value);
    // False only where nothing satisfies it, as far as one looks: what it requires is gone into.
    bool possible(const schema_goal & of);

    // What a property of this name has to be; std::nullopt where it may not be there.
    std::optional<schema_goal> property(const schema_form & within, const std::string & name);
    schema_goal item(const schema_form & within, size_t at) const;
    // The names that the form speaks of, in their order.
    std::vector<std::string> names(const schema_form & of) const;
    shared_machine pattern(const std::string & text, const json_tree & at, const char * keyword);
    // Names that may be given to a property; nullptr: any. Notes what it cannot hold.
    shared_machine name_machine(const schema_form & of);
    // The texts of its strings; std::nullopt when they take too many states.
    std::optional<char_machine> text_machine(const schema_form & form);

    void note(const json_tree & at, const char * keyword, const std::string & why);
    const std::set<schema_note> & notes() const { return notes_; }
    [[noreturn]] void fail(const json_tree & at, const std::string & why) const;
    [[noreturn]] void fail_of_choices() const;
    [[noreturn]] void fail_of_size() const;
    const json_tree & root() const { return root_; }

  private:
    friend class schema_expansion;

    bool accepts(const schema_form & form, const json_tree & value);
    bool accepts_array(const schema_form & form, const json_tree & value);
    bool accepts_object(const schema_form & form, const json_tree & value);
    const json_tree & target(const json_tree & at, const std::string & ref) const;
    std::string place_of(const json_tree & at) const;
    const json_tree & made(const json_tree & of, const std::string & what, json_tree schema);

    const json_tree & root_;
    const std::string field_;
    const std::string place_;
    std::map<schema_goal, std::vector<schema_form>> forms_;
    std::map<std::string, shared_machine> patterns_;
    std::map<std::pair<const json_tree *, std::string>, const json_tree *> made_;
    std::deque<json_tree> owned_;
    std::set<schema_note> notes_;
    std::set<schema_goal> asked_;
    size_t n_forms_ = 0;
    size_t depth_ = 0;
};

}  // namespace jan
