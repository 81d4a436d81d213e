#include "chat_request.h"

#include "error.h"
#include "json_schema.h"
#include "json_tree.h"

#include <cctype>
#include <cstdio>

namespace jan {

namespace {

constexpr size_t max_request = 16 << 20;
constexpr size_t max_tools = 256;
constexpr size_t max_options = 64;

[[noreturn]] void fail(const std::string & why) { throw error(errc::invalid_argument, why); }

void write_string(const std::string & text, std::string & out) {
    out += '"';
    for (const char c : text) {
        const auto code = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (code < 0x20) {
            char escaped[8];
            std::snprintf(escaped, sizeof(escaped), "\\u%04x", code);
            out += escaped;
        } else {
            out += c;
        }
    }
    out += '"';
}

void write(const json_tree & tree, std::string & out) {
    bool is_first = true;
    const auto comma = [&] {
        out += is_first ? "" : ",";
        is_first = false;
    };
    switch (tree.type) {
        case json_tree::kind::null: out += "null"; return;
        case json_tree::kind::boolean: out += tree.truth ? "true" : "false"; return;
        case json_tree::kind::number: out += tree.text; return;
        case json_tree::kind::string: write_string(tree.text, out); return;
        case json_tree::kind::array:
            out += '[';
            for (const json_tree & item : tree.items) {
                comma();
                write(item, out);
            }
            out += ']';
            return;
        case json_tree::kind::object:
            out += '{';
            for (const auto & [key, value] : tree.members) {
                comma();
                write_string(key, out);
                out += ':';
                write(value, out);
            }
            out += '}';
    }
}

std::string text_of(const json_tree & tree) {
    std::string out;
    write(tree, out);
    return out;
}

class request_reader {
  public:
    explicit request_reader(const json_tree & tree) : tree_(tree) {}

    // nullptr when it is absent or null.
    const json_tree * field(const char * name) const {
        const json_tree * found = tree_.find(name);
        return found && found->type != json_tree::kind::null ? found : nullptr;
    }

    void text(const char * name, std::string & into) const {
        if (const json_tree * found = field(name)) {
            if (!found->is_string()) {
                fail(std::string(name) + ": must be a string");
            }
            into = found->text;
        }
    }

    void truth(const char * name, bool & into) const {
        if (const json_tree * found = field(name)) {
            if (found->type != json_tree::kind::boolean) {
                fail(std::string(name) + ": must be true or false");
            }
            into = found->truth;
        }
    }

  private:
    const json_tree & tree_;
};

// That it is a schema, and one that is held where it has to be. What is left out of others is noted.
void check_schema(const json_tree & schema, const std::string & field, const std::string & place, bool strict,
                  chat_request & request) {
    for (const std::string & unheld : rules_of(schema, field, place).unheld) {
        if (strict) {
            fail(field + ": strict, and no grammar holds " + unheld);
        }
        request.unheld.push_back(field + ": " + unheld);
    }
}

void read_tools(const request_reader & from, chat_request & request) {
    if (const json_tree * tools = from.field("tools")) {
        if (!tools->is_array() || tools->items.size() > max_tools) {
            fail("tools: must be an array of at most " + std::to_string(max_tools));
        }
        for (const json_tree & tool : tools->items) {
            const json_tree * function = tool.find("function");
            const json_tree * name = function ? function->find("name") : nullptr;
            if (!name || !name->is_string() || name->text.empty() || name->text.size() > 256) {
                fail("tools: each needs a function with a name of at most 256 bytes");
            }
            const json_tree * description = function->find("description");
            if (description && !description->is_string()) {
                fail("tools: a description must be a string");
            }
            if (const json_tree * parameters = function->find("parameters")) {
                if (!parameters->is_object()) {
                    fail("tools: parameters must be a JSON schema, an object");
                }
                const json_tree * strict = function->find("strict");
                const std::string place =
                    "#/" + std::to_string(&tool - tools->items.data()) + "/function/parameters";
                check_schema(*parameters, "tools", place, strict && strict->truth, request);
            }
        }
        request.tools = text_of(*tools);
    }
    const json_tree * choice = from.field("tool_choice");
    if (choice && choice->is_object()) {
        const json_tree * function = choice->find("function");
        const json_tree * name = function ? function->find("name") : nullptr;
        if (!name || !name->is_string()) {
            fail("tool_choice: must name a function");
        }
        request.tool_name = name->text;
        request.tool_choice = "required";
    } else {
        from.text("tool_choice", request.tool_choice);
    }
    bool is_parallel = false;
    from.truth("parallel_tool_calls", is_parallel);
    if (from.field("parallel_tool_calls")) {
        request.parallel_tool_calls = is_parallel;
    }
}

struct format_schema {
    const json_tree * schema = nullptr;
    std::string place;
    bool strict = false;
};

format_schema schema_in(const json_tree & format) {
    const json_tree * type = format.find("type");
    if (!type || !type->is_string() || type->text == "text") {
        return {};
    }
    static const json_tree any = {json_tree::kind::object, false, "", {}, {}};
    const json_tree * holder = type->text == "json_object"   ? &format
                               : type->text == "json_schema" ? format.find("json_schema")
                                                             : nullptr;
    if (!holder || !holder->is_object()) {
        fail("response_format: type must be text, json_object or json_schema, the last with a json_schema");
    }
    const json_tree * schema = holder->find("schema");
    const json_tree * strict = holder->find("strict");
    const std::string place = holder == &format ? "#/schema" : "#/json_schema/schema";
    return {schema ? schema : &any, place, strict && strict->truth};
}

void read_format(const request_reader & from, chat_request & request) {
    format_schema asked{from.field("json_schema"), "#"};
    from.truth("json_schema_strict", asked.strict);
    const char * field = "json_schema";
    if (const json_tree * format = from.field("response_format")) {
        const format_schema inner = schema_in(*format);
        if (inner.schema) {
            asked = inner;
            field = "response_format";
        }
    }
    const json_tree * schema = asked.schema;
    from.text("grammar", request.grammar);
    if (!schema) {
        return;
    }
    if (!request.grammar.empty()) {
        fail("grammar: not together with a JSON schema");
    }
    const bool is_empty = schema->is_object() && schema->members.empty();
    check_schema(*schema, field, asked.place, asked.strict, request);
    request.json_schema = is_empty ? R"({"type":"object"})" : text_of(*schema);
}

void read_options(const request_reader & from, chat_request & request) {
    from.truth("enable_thinking", request.enable_thinking);
    if (const json_tree * options = from.field("chat_template_kwargs")) {
        if (!options->is_object() || options->members.size() > max_options) {
            fail("chat_template_kwargs: must be an object of at most " + std::to_string(max_options) +
                 " keys");
        }
        for (const auto & [name, value] : options->members) {
            for (const char * taken :
                 {"messages", "tools", "bos_token", "eos_token", "add_generation_prompt"}) {
                if (name == taken) {
                    fail("chat_template_kwargs: " + name + " is no option");
                }
            }
            if (name == "enable_thinking") {
                if (value.type != json_tree::kind::boolean) {
                    fail("chat_template_kwargs: enable_thinking must be true or false");
                }
                request.enable_thinking = value.truth;
            }
            request.options[name] = text_of(value);
        }
    }
    std::string effort;
    from.text("reasoning_effort", effort);
    if (effort == "none") {
        request.enable_thinking = false;
        request.options.erase("reasoning_effort");
    } else if (!effort.empty()) {
        request.options["reasoning_effort"].clear();
        write_string(effort, request.options["reasoning_effort"]);
    }
}

void read_continuation(const request_reader & from, const json_tree & messages, chat_request & request) {
    const json_tree * how = from.field("continue_final_message");
    from.truth("add_generation_prompt", request.add_generation_prompt);
    if (!how || (how->type == json_tree::kind::boolean && !how->truth)) {
        return;
    }
    const bool is_true = how->type == json_tree::kind::boolean;
    if (is_true) {
        request.continued = chat_continued::automatic;
    } else if (how->text == "content") {
        request.continued = chat_continued::content;
    } else if (how->text == "reasoning_content") {
        request.continued = chat_continued::reasoning;
    } else {
        fail("continue_final_message: must be true, false, \"content\" or \"reasoning_content\"");
    }
    if (from.field("add_generation_prompt") && request.add_generation_prompt) {
        fail("continue_final_message: not together with add_generation_prompt");
    }
    request.add_generation_prompt = false;
    const json_tree * last = messages.items.empty() ? nullptr : &messages.items.back();
    const json_tree * role = last ? last->find("role") : nullptr;
    if (!role || role->text != "assistant" || last->find("tool_calls")) {
        fail("continue_final_message: the last message must be the assistant's, without tool calls");
    }
}

}  // namespace

chat_request read_chat_request(std::string_view json) {
    json_limits limits;
    limits.n_bytes = max_request;
    limits.n_values = 500000;
    const json_tree tree = parse_json(json, "request", limits);
    const request_reader from(tree);
    chat_request request;
    const json_tree * messages = from.field("messages");
    if (!messages || !messages->is_array() || messages->items.empty()) {
        fail("messages: must be an array with at least one message");
    }
    for (const json_tree & message : messages->items) {
        const json_tree * role = message.find("role");
        if (!role || !role->is_string()) {
            fail("messages: each needs a role");
        }
    }
    request.messages = text_of(*messages);
    read_tools(from, request);
    read_format(from, request);
    if (!request.grammar.empty() && request.tools != "null" && request.tool_choice != "none") {
        fail("grammar: not together with tools");
    }
    read_options(from, request);
    read_continuation(from, *messages, request);
    from.text("reasoning_format", request.reasoning_format);
    return request;
}

bool is_mentioned(std::string_view source, std::string_view name) {
    const auto is_word = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; };
    for (size_t at = source.find(name); !name.empty() && at != std::string_view::npos;
         at = source.find(name, at + 1)) {
        const size_t end = at + name.size();
        if ((at == 0 || !is_word(source[at - 1])) && (end == source.size() || !is_word(source[end]))) {
            return true;
        }
    }
    return false;
}

}  // namespace jan
