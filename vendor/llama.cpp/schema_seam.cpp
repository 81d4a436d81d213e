// What upstream's common/ asks of its JSON schema converter, answered by ours: in place of upstream's
// json-schema-to-grammar.cpp and of the reader in its json-schema.cpp, so that tools and response
// formats of every chat format go by the rules of csrc/schema.
#include "json-schema-to-grammar.h"

#include "json_schema.h"
#include "schema/schema_writer.h"

#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace {

constexpr int deepest_shape = 4;  // of nodes that upstream looks into; the grammar has no such limit

struct document {
    explicit document(jan::json_tree && read) : tree(std::move(read)), reader(tree, "schema") {}

    const jan::json_tree tree;
    jan::schema_reader reader;
};

// What a node of upstream's was made from.
struct held_schema {
    virtual ~held_schema() = default;
    std::shared_ptr<document> of;
    jan::schema_goal goal;
};

template <class Node> struct held : Node, held_schema {};

template <class Node>
std::unique_ptr<held<Node>> node_of(const std::shared_ptr<document> & of, const jan::schema_goal & goal) {
    auto made = std::make_unique<held<Node>>();
    made->of = of;
    made->goal = goal;
    return made;
}

common_chat_schema_ptr shape_of(const std::shared_ptr<document> & of, const jan::schema_goal & goal, int depth);

// Of an object that may be one of several, each property as the first of them has it.
common_chat_schema_ptr object_of(const std::shared_ptr<document> & of, const jan::schema_goal & goal, int depth) {
    auto made = node_of<common_chat_schema_object>(of, goal);
    const std::vector<jan::schema_form> & forms = of->reader.forms(goal);
    std::map<std::string, bool> seen;
    for (const jan::schema_form & form : forms) {
        for (const std::string & name : of->reader.names(form)) {
            const std::optional<jan::schema_goal> what = of->reader.property(form, name);
            if (!what || !seen.emplace(name, true).second) {
                continue;
            }
            bool required = true;
            for (const jan::schema_form & other : forms) {
                required = required && other.requires_property(name);
            }
            made->properties.push_back({name, shape_of(of, *what, depth + 1), required});
        }
    }
    return made;
}

common_chat_schema_ptr shape_of(const std::shared_ptr<document> & of, const jan::schema_goal & goal, int depth) {
    unsigned types = 0;
    bool has_values = false;
    if (depth < deepest_shape) {
        for (const jan::schema_form & form : of->reader.forms(goal)) {
            types |= form.types;
            has_values = has_values || form.values;
        }
    }
    switch (types) {
        case jan::null_type: return node_of<common_chat_schema_null>(of, goal);
        case jan::boolean_type: return node_of<common_chat_schema_boolean>(of, goal);
        case jan::integer_type: return node_of<common_chat_schema_integer>(of, goal);
        case jan::fraction_type:
        case jan::integer_type | jan::fraction_type: return node_of<common_chat_schema_number>(of, goal);
        case jan::string_type: return node_of<common_chat_schema_string>(of, goal);
        case jan::object_type:
            if (!has_values) {
                return object_of(of, goal, depth);
            }
            break;
        case jan::array_type: {
            auto made = node_of<common_chat_schema_array>(of, goal);
            made->items = has_values ? node_of<common_chat_schema_any>(of, {})
                                     : shape_of(of, of->reader.item(of->reader.forms(goal)[0], 0), depth + 1);
            return made;
        }
        case 0:
        case jan::all_types: return node_of<common_chat_schema_any>(of, goal);
        default: break;
    }
    auto made = node_of<common_chat_schema_any_of>(of, goal);
    for (const unsigned one : {unsigned{jan::null_type}, unsigned{jan::boolean_type},
                               unsigned{jan::integer_type | jan::fraction_type}, unsigned{jan::string_type},
                               unsigned{jan::array_type}, unsigned{jan::object_type}}) {
        jan::schema_goal part = goal;
        part.types = goal.types & types & one;
        if (part.types != 0 && part.types != types) {
            made->children.push_back(shape_of(of, part, depth + 1));
        }
    }
    return made;
}

std::string name_for_grammar(const std::string & name) {
    std::string made;
    for (const char c : name) {
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
        if (plain || made.empty() || made.back() != '-') {
            made += plain ? c : '-';
        }
    }
    return made;
}

class grammar_builder {
  public:
    // A rule's name is free, or its own already; else it gets the next free number.
    std::string add_rule(const std::string & wanted, const std::string & rule) {
        const std::string name = name_for_grammar(wanted);
        for (int i = -1;; ++i) {
            const std::string key = i < 0 ? name : name + std::to_string(i);
            const auto [found, added] = rules_.emplace(key, rule);
            if (added || found->second == rule) {
                return key;
            }
        }
    }

    std::string add_schema(const common_chat_schema & node) {
        const auto * from = dynamic_cast<const held_schema *>(&node);
        if (!from) {
            return "jan-value";
        }
        jan::schema_writer writer(from->of->reader, "schema" + std::to_string(n_schemas_++) + "-");
        const std::string text = writer.write(from->goal);
        if (text.empty()) {
            throw std::invalid_argument("nothing satisfies a schema");
        }
        schemas_ += text;
        return writer.root();
    }

    std::string text() const {
        std::string made;
        for (const auto & [name, rule] : rules_) {
            made += name + " ::= " + rule + "\n";
        }
        return made + schemas_ + jan::common_json_rules();
    }

  private:
    std::map<std::string, std::string> rules_;
    std::string schemas_;
    int n_schemas_ = 0;
};

}  // namespace

common_chat_schema_document common_chat_schema_from_json(const common_json & schema) {
    const auto of = std::make_shared<document>(jan::schema_tree(schema.dump(), "schema"));
    common_chat_schema_document made;
    made.root = shape_of(of, of->reader.goal(), 0);
    return made;
}

std::string gbnf_format_literal(const std::string & literal) { return jan::gbnf_text(literal); }

std::string json_schema_to_grammar(const common_json & schema, bool) {
    return jan::json_schema_to_gbnf(schema.dump()).text;
}

std::string json_schema_to_grammar(const common_chat_schema_document & schema) {
    grammar_builder builder;
    builder.add_rule("root", builder.add_schema(*schema.root));
    return builder.text();
}

std::string build_grammar(const std::function<void(const common_grammar_builder &)> & cb,
                          const common_grammar_options &) {
    grammar_builder builder;
    cb({[&](const std::string & name, const std::string & rule) { return builder.add_rule(name, rule); },
        [&](const std::string &, const common_chat_schema & schema) { return builder.add_schema(schema); }});
    return builder.text();
}
