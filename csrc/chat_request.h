// What a caller asks of a chat template, read and checked before upstream sees any of it.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace jan {

enum class chat_continued { none, automatic, content, reasoning };

struct chat_request {
    std::string messages;              // JSON
    std::string tools = "null";        // JSON; the schema of each was checked
    std::string tool_choice = "auto";  // or "none", "required"
    std::string tool_name;             // the one tool that is to be called, "" = any
    std::string json_schema;           // JSON of what the answer must be, "" = anything
    std::string grammar;
    std::string reasoning_format = "deepseek";  // where reasoning goes; "none" leaves it in the text
    bool enable_thinking = true;
    bool add_generation_prompt = true;
    chat_continued continued = chat_continued::none;
    std::optional<bool> parallel_tool_calls;     // absent: as the template can
    std::map<std::string, std::string> options;  // of the template: name to JSON
    std::vector<std::string> unheld;             // "tools: #/0/...: pattern: why": see schema_rules
};

// Throws invalid_argument, its message beginning with the field: a wrong type, a schema that is none or
// with `strict` more than a grammar holds, an option that would take the place of something else, more than
// 16 MiB.
chat_request read_chat_request(std::string_view json);

// Whether the name stands in the template as a word of its own.
bool is_mentioned(std::string_view source, std::string_view name);

}  // namespace jan
