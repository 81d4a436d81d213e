// Rules of a grammar in the making. What comes to nothing, because nothing satisfies it or its text
// would never end, is left out, and what needs that with it.
#pragma once

#include "schema/char_machine.h"

#include <string>
#include <vector>

namespace jan {

class rule_book {
  public:
    // A piece of GBNF, and in it at most one other rule: before + its name + after.
    struct part {
        std::string before = {};
        int rule = -1;
        std::string after = {};
        bool optional = false;  // without its rule the part is left out, and not all that needs it
    };
    using alternative = std::vector<part>;

    // Names of rules begin with the prefix, so that several books go into one grammar.
    explicit rule_book(std::string prefix) : prefix_(std::move(prefix)) {}

    int add() {
        rules_.emplace_back();
        return static_cast<int>(rules_.size()) - 1;
    }
    void add(int rule, alternative one) { rules_[static_cast<size_t>(rule)].push_back(std::move(one)); }

    // The texts of a machine, each character written as JSON writes it in a string and with `closing`
    // behind the last, or as it is.
    int add_machine(const char_machine & machine, const std::string & closing, bool in_json);

    size_t n_rules() const { return rules_.size(); }
    size_t n_bytes() const;

    // GBNF of what `root` needs; "" when nothing satisfies it. name(root) is its name.
    std::string text(int root) const;
    std::string name(int rule) const { return prefix_ + std::to_string(rule); }

  private:
    std::vector<bool> productive() const;

    const std::string prefix_;
    std::vector<std::vector<alternative>> rules_;
};

std::string gbnf_text(const std::string & text);  // as a literal

// What every grammar of a schema may refer to: jan-value, jan-string and so on.
const std::string & common_json_rules();

}  // namespace jan
