// Messages to the text a model was trained on, and the text it answers with back to a message.
// Knows nothing of upstream: chat_bridge.cpp is behind it.
#pragma once

#include "token.h"

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace jan {

class model;

struct chat_tool_call {
    std::string name, id, arguments;  // arguments are JSON, unless the model wrote something else
};

struct chat_message {
    std::string content, reasoning;
    std::vector<chat_tool_call> tool_calls;
};

// How the answer to one prompt is read. Immutable, so any number of streams may share one.
class chat_syntax {
  public:
    virtual ~chat_syntax() = default;

    // The message in the whole text so far. While it `is_partial`, what may still become a tag is
    // held back, and text that does not fit is read as far as it does. Throws unsupported_feature otherwise.
    virtual chat_message parse(const std::string & text, bool is_partial) const = 0;

    // What may end a run of plain text. Text without any of these goes where the text before went.
    const std::vector<std::string> & markers() const { return markers_; }

  protected:
    std::vector<std::string> markers_;
};

enum class chat_trigger_kind : int { one_token = 0, word, pattern, pattern_full };

struct chat_trigger {
    chat_trigger_kind kind;
    std::string value;
    token id = -1;  // with kind one_token: what `value` is
};

struct chat_prompt {
    std::string text;
    std::string generation_prompt;  // the end of `text` that begins the answer
    std::string grammar;            // GBNF, "" = none
    bool grammar_lazy = false;      // it holds from the first trigger on
    std::string grammar_begun;      // of the grammar's text, what `text` ends with
    std::vector<chat_trigger> triggers;
    std::vector<std::string> preserved;  // tokens that must keep their text in the answer,
    std::vector<token> shown;            // and those of them, and of the triggers, that are one in the model
    std::vector<std::string> stops;      // beside the model's own ends
    bool supports_thinking = false;
    bool reasoning_opened = false;  // the prompt ends inside the reasoning
    std::string thinking_start;
    std::vector<std::string> thinking_ends;
    std::string format;    // upstream's name of it
    chat_message prefill;  // what of the answer the prompt already holds
    std::vector<std::string>
        unheld;  // of schemas, what the grammar does not hold: "tools: #/0/...: pattern: why"
    std::shared_ptr<const chat_syntax> syntax;
};

// A template from a model file is a program by a stranger. It is refused when it is larger than
// 256 KiB or nested deeper than 64; while it runs it may make 4 million values, hold 256 MiB of
// text and nest 512 KiB of stack.
class chat_template {
  public:
    // Jinja, or "chatml" for the built-in one. Throws invalid_argument, "chat_template: ...".
    static std::shared_ptr<const chat_template> from_source(const std::string & source,
                                                            const std::string & bos, const std::string & eos);
    // The model's own, or chatml when it has none; `override` in its place when not empty. Triggers
    // that are one token of its vocabulary come as tokens.
    static std::shared_ptr<const chat_template> from_model(std::shared_ptr<const model> source,
                                                           const std::string & override_source);

    virtual ~chat_template() = default;

    // Any thread, any number at once. `request` is a JSON object in the words of chat completions:
    //   messages, tools, tool_choice, parallel_tool_calls, response_format, json_schema, json_schema_strict,
    //   grammar, reasoning_format, reasoning_effort, enable_thinking, chat_template_kwargs,
    //   add_generation_prompt, continue_final_message
    // Others are ignored. Throws invalid_argument, its message beginning with the field.
    virtual chat_prompt render(std::string_view request) const = 0;

    virtual std::string source() const = 0;
    virtual std::map<std::string, bool> capabilities() const = 0;
};

}  // namespace jan
