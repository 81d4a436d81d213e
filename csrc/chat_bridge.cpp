// The only file of csrc that includes llama.cpp's common/, which promises no interface: moving
// the pin can break this file and no other.
#include "template_budget.h"  // first: it changes upstream's headers

#include "abort_guard.h"
#include "chat.h"
#include "chat_request.h"
#include "error.h"
#include "json_schema.h"
#include "log.h"
#include "model.h"
#include "template_limits.h"

#include "common/chat.h"
#include "common/json-schema-to-grammar.h"
#include "common/peg-parser.h"
#include "common_silence.h"

#include <exception>
#include <new>
#include <set>
#include <string>
#include <string_view>
#include <utility>

namespace jan {

// Declared here and in tests/csrc/test_chat_upstream.cpp, which has upstream's own parsers.
std::vector<std::string> markers_of(const common_peg_arena & arena);

namespace {

constexpr size_t max_grammar = 1 << 20;
constexpr size_t max_reason = 400;  // upstream's messages may hold all of the request

// Several times what the largest template of upstream's collection needs, for a request this long.
jan_template::allowance allowance_for(size_t n_request) {
    jan_template::allowance given{};
    given.n_values = 500'000 + n_request;  // of some 350 bytes
    given.n_bytes = (size_t(256) << 20) + 32 * n_request;
    given.n_read = (size_t(256) << 20) + 256 * n_request;
    given.n_stack = 512 * 1024;
    given.n_seconds = 2 + 5e-7 * static_cast<double>(n_request);
    return given;
}

std::string after(std::string text, std::string_view prefix) {
    return text.compare(0, prefix.size(), prefix) == 0 ? text.substr(prefix.size()) : text;
}

// Runs what may fail for the caller's sake. `field` begins the message.
template <class Call> auto blaming(const char * field, errc blame, const Call & call) {
    try {
        const abort_guard guard(blame);
        return call();
    } catch (const std::bad_alloc &) {
        throw;
    } catch (const error &) {
        throw;
    } catch (const std::exception & e) {
        std::string reason = after(e.what(), "JSON schema conversion failed:\n");
        const size_t cause = reason.rfind("\nError: ");  // of a template; before it stands its source
        reason = cause == std::string::npos ? reason : reason.substr(cause + 8);
        throw error(blame, std::string(field) + ": " + reason.substr(0, max_reason));
    }
}

// What a template fails with once its budget is spent says nothing: upstream swallows the cause.
template <class Call> auto blaming_messages(const jan_template::budget & budget, const Call & call) {
    try {
        return blaming("messages", errc::invalid_argument, call);
    } catch (const error &) {
        if (budget.is_spent()) {
            throw error(errc::invalid_argument,
                        "messages: the model's chat template would make more of them than "
                        "it may: send fewer or shorter ones");
        }
        throw;
    }
}

chat_message message_of(common_chat_msg && parsed) {
    chat_message message;
    message.content = std::move(parsed.content);
    message.reasoning = std::move(parsed.reasoning_content);
    for (common_chat_tool_call & call : parsed.tool_calls) {
        message.tool_calls.push_back({std::move(call.name), std::move(call.id), std::move(call.arguments)});
    }
    return message;
}

class upstream_syntax : public chat_syntax {
  public:
    explicit upstream_syntax(common_chat_parser_params && params) : params_(std::move(params)) {
        markers_ = markers_of(params_.parser);
    }

    chat_message parse(const std::string & text, bool is_partial) const override {
        const common_silence silence;  // it would log the answer
        return blaming("text", errc::unsupported_feature, [&] {
            return message_of(common_chat_parse(common_chat_input(text), is_partial, params_));
        });
    }

  private:
    common_chat_parser_params params_;
};

chat_trigger_kind kind_of(common_grammar_trigger_type type) {
    switch (type) {
        case COMMON_GRAMMAR_TRIGGER_TYPE_TOKEN: return chat_trigger_kind::one_token;
        case COMMON_GRAMMAR_TRIGGER_TYPE_WORD: return chat_trigger_kind::word;
        case COMMON_GRAMMAR_TRIGGER_TYPE_PATTERN: return chat_trigger_kind::pattern;
        case COMMON_GRAMMAR_TRIGGER_TYPE_PATTERN_FULL: break;
    }
    return chat_trigger_kind::pattern_full;
}

bool is_open(const std::string & prompt, const std::string & start, const std::vector<std::string> & ends) {
    const size_t opened = start.empty() ? std::string::npos : prompt.rfind(start);
    if (opened == std::string::npos) {
        return false;
    }
    for (const std::string & end : ends) {
        if (prompt.find(end, opened + start.size()) != std::string::npos) {
            return false;
        }
    }
    return true;
}

common_chat_continuation continuation_of(const chat_request & request) {
    switch (request.continued) {
        case chat_continued::none: return COMMON_CHAT_CONTINUATION_NONE;
        case chat_continued::automatic: return COMMON_CHAT_CONTINUATION_AUTO;
        case chat_continued::content: return COMMON_CHAT_CONTINUATION_CONTENT;
        case chat_continued::reasoning: break;
    }
    return COMMON_CHAT_CONTINUATION_REASONING;
}

class upstream_template : public chat_template {
  public:
    upstream_template(std::shared_ptr<const model> of, const std::string & source, const std::string & bos,
                      const std::string & eos)
        : model_(std::move(of)) {
        install_log();
        check_template(source);
        for (const char * name : {"", "tool_use"}) {
            if (model_ && source.empty() && model_->has_chat_template(name)) {
                check_template(model_->chat_template(name));
            }
        }
        const log_capture log;  // upstream's exception has lost its message on the way
        const jan_template::budget budget(allowance_for(source.size()));
        try {
            const abort_guard guard(errc::invalid_argument);
            templates_ = common_chat_templates_init(model_ ? model_->handle() : nullptr, source, bos, eos);
        } catch (const std::bad_alloc &) {
            throw;
        } catch (const std::exception &) {
            throw error(errc::invalid_argument,
                        "chat_template: " + log.reason("upstream gave no reason").substr(0, max_reason));
        }
        if (budget.is_spent()) {
            throw error(
                errc::invalid_argument,
                "chat_template: it makes too many values or too much text, nests too deep or takes too long");
        }
    }

    std::string source() const override { return common_chat_templates_source(templates_.get()); }

    std::map<std::string, bool> capabilities() const override {
        return common_chat_templates_get_caps(templates_.get());
    }

    chat_prompt render(std::string_view request_json) const override {
        const chat_request request = read_chat_request(request_json);
        common_chat_templates_inputs inputs = inputs_of(request);
        const jan_template::budget budget(allowance_for(request_json.size()));
        common_chat_params made =
            blaming_messages(budget, [&] { return common_chat_templates_apply(templates_.get(), inputs); });
        if (made.grammar.size() > max_grammar) {
            throw error(errc::invalid_argument, "tools: their grammar is larger than 1 MiB");
        }
        chat_prompt prompt = prompt_of(std::move(made));
        hold_to_form(request, prompt);
        prompt.unheld = request.unheld;
        if (inputs.continue_final_message != COMMON_CHAT_CONTINUATION_NONE) {
            prompt.prefill = prompt.syntax->parse("", true);
        }
        return prompt;
    }

  private:
    common_chat_templates_inputs inputs_of(const chat_request & request) const {
        common_chat_templates_inputs inputs;
        inputs.messages = blaming("messages", errc::invalid_argument, [&] {
            return common_chat_msgs_parse_oaicompat(common_json::parse(request.messages));
        });
        inputs.tools = blaming("tools", errc::invalid_argument, [&] {
            return common_chat_tools_parse_oaicompat(common_json::parse(request.tools));
        });
        if (!request.tool_name.empty()) {
            std::vector<common_chat_tool> named;
            for (const common_chat_tool & tool : inputs.tools) {
                if (tool.name == request.tool_name) {
                    named.push_back(tool);
                }
            }
            if (named.empty()) {
                throw error(errc::invalid_argument, "tool_choice: no tool is called " + request.tool_name);
            }
            inputs.tools = std::move(named);
        }
        inputs.tool_choice = blaming("tool_choice", errc::invalid_argument, [&] {
            return common_chat_tool_choice_parse_oaicompat(request.tool_choice);
        });
        inputs.reasoning_format = blaming("reasoning_format", errc::invalid_argument, [&] {
            return common_reasoning_format_from_name(request.reasoning_format);
        });
        inputs.json_schema = request.json_schema;
        inputs.grammar = request.grammar;
        inputs.add_generation_prompt = request.add_generation_prompt;
        inputs.continue_final_message = continuation_of(request);
        inputs.enable_thinking = request.enable_thinking;
        const auto able = capabilities();
        const auto parallel = able.find("supports_parallel_tool_calls");
        inputs.parallel_tool_calls =
            request.parallel_tool_calls.value_or(parallel != able.end() && parallel->second);
        const std::string text = source();
        for (const auto & [name, value] : request.options) {
            if (name == "reasoning_effort" || name == "preserve_reasoning" || is_mentioned(text, name)) {
                inputs.chat_template_kwargs[name] = value;
            }
        }
        return inputs;
    }

    // Upstream's grammars begin with the generation prompt. Where it made none, the caller's holds.
    static void hold_to_form(const chat_request & request, chat_prompt & prompt) {
        if (prompt.grammar.empty()) {
            prompt.grammar_lazy = false;
            prompt.grammar =
                request.json_schema.empty() ? request.grammar : json_schema_to_gbnf(request.json_schema).text;
        } else if (!prompt.grammar_lazy && prompt.grammar != request.grammar) {
            prompt.grammar_begun = prompt.generation_prompt;
        }
    }

    chat_prompt prompt_of(common_chat_params && made) const {
        chat_prompt prompt;
        prompt.text = std::move(made.prompt);
        prompt.generation_prompt = made.generation_prompt;
        prompt.grammar = std::move(made.grammar);
        prompt.grammar_lazy = made.grammar_lazy;
        prompt.preserved = std::move(made.preserved_tokens);
        for (const std::string & text : prompt.preserved) {
            const token id = one_token(text);
            if (id >= 0) {
                prompt.shown.push_back(id);
            }
        }
        prompt.stops = std::move(made.additional_stops);
        prompt.supports_thinking = made.supports_thinking;
        prompt.thinking_start = std::move(made.thinking_start_tag);
        prompt.thinking_ends = std::move(made.thinking_end_tags);
        prompt.reasoning_opened =
            is_open(prompt.generation_prompt, prompt.thinking_start, prompt.thinking_ends);
        prompt.format = common_chat_format_name(made.format);
        for (const common_grammar_trigger & trigger : made.grammar_triggers) {
            prompt.triggers.push_back(trigger_of(trigger));
            if (prompt.triggers.back().kind == chat_trigger_kind::one_token) {
                prompt.shown.push_back(prompt.triggers.back().id);
            }
        }
        common_chat_parser_params parsing(made);
        parsing.parser = std::move(made.parser);
        prompt.syntax = std::make_shared<const upstream_syntax>(std::move(parsing));
        return prompt;
    }

    // -1 without a model, or where it is several.
    token one_token(const std::string & text) const {
        const std::vector<token> ids =
            model_ ? model_->vocab().tokenize(text, false, true) : std::vector<token>();
        return ids.size() == 1 ? ids[0] : -1;
    }

    chat_trigger trigger_of(const common_grammar_trigger & trigger) const {
        const token id = trigger.type == COMMON_GRAMMAR_TRIGGER_TYPE_WORD ? one_token(trigger.value) : -1;
        if (id >= 0) {
            return {chat_trigger_kind::one_token, trigger.value, id};
        }
        return {kind_of(trigger.type), trigger.value, static_cast<token>(trigger.token)};
    }

    const std::shared_ptr<const model> model_;  // nullptr: a template without a model
    common_chat_templates_ptr templates_;
};

}  // namespace

std::vector<std::string> markers_of(const common_peg_arena & arena) {
    std::set<std::string> found;
    for (size_t id = 0; id < arena.size(); id++) {
        if (const auto * until = std::get_if<common_peg_until_parser>(&arena.get(id))) {
            found.insert(until->delimiters.begin(), until->delimiters.end());
        } else if (const auto * any_of = std::get_if<common_peg_ac_parser>(&arena.get(id))) {
            found.insert(any_of->delimiters.begin(), any_of->delimiters.end());
        } else if (const auto * literal = std::get_if<common_peg_literal_parser>(&arena.get(id))) {
            // A short one, or one that is a word, is part of arguments and never ends plain text.
            const std::string & text = literal->literal;
            const bool is_tag = text.size() > 2 && !std::isalnum(static_cast<unsigned char>(text[0])) &&
                                !std::isspace(static_cast<unsigned char>(text[0]));
            if (is_tag) {
                found.insert(text);
            }
        }
    }
    found.erase("");
    return {found.begin(), found.end()};
}

std::shared_ptr<const chat_template>
chat_template::from_source(const std::string & source, const std::string & bos, const std::string & eos) {
    if (source.empty()) {
        throw error(errc::invalid_argument, "chat_template: it is empty");
    }
    return std::make_shared<const upstream_template>(nullptr, source, bos, eos);
}

std::shared_ptr<const chat_template> chat_template::from_model(std::shared_ptr<const model> source,
                                                               const std::string & override_source) {
    return std::make_shared<const upstream_template>(std::move(source), override_source, "", "");
}

}  // namespace jan
