// Noise in the place of answers and of templates: what comes is an error or what upstream makes of
// the whole, never anything else. Run it in upstream's folder; a number makes it that many times as long.
#include "chat.h"
#include "chat_stream.h"
#include "error.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>

namespace {

using namespace jan;

constexpr const char * request = R"({"messages": [{"role": "user", "content": "Hello"},
    {"role": "assistant", "content": "Yes?"}, {"role": "user", "content": "Weather in <Rome>?"}],
    "tools": [{"type": "function", "function": {"name": "get_weather", "description": "Forecasts",
     "parameters": {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
      "required": ["city"]}}}]})";
constexpr double longest_s = 20;  // of one template, under a sanitizer; its budget is 2 s

int n_failed = 0;
std::mt19937 random_number(20);

size_t below(size_t n) { return n == 0 ? 0 : random_number() % n; }

template <class List> const auto & any_of(const List & list) { return list[below(list.size())]; }

std::vector<std::string> templates() {
    std::vector<std::filesystem::path> paths;
    for (const auto & entry : std::filesystem::directory_iterator("models/templates")) {
        if (entry.path().extension() == ".jinja") {
            paths.push_back(entry.path());
        }
    }
    std::sort(paths.begin(), paths.end());
    std::vector<std::string> sources;
    for (const auto & path : paths) {
        std::ifstream file(path);
        sources.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
    }
    return sources;
}

// As many bytes as are asked for, and what is missing of a character.
size_t whole_characters(const std::string & text, size_t at, size_t n) {
    size_t end = std::min(text.size(), at + n);
    while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) {
        end++;
    }
    return end - at;
}

std::string shown(const chat_message & message) {
    std::string text = "content <" + message.content + "> reasoning <" + message.reasoning + ">";
    for (const chat_tool_call & call : message.tool_calls) {
        text += " call " + call.name + " " + call.arguments;
    }
    return text;
}

// Of whole characters, as text_stream has them, or else of any bytes.
std::string noise(const chat_syntax & syntax, bool is_text) {
    static const std::vector<std::string> words = {"get_weather",
                                                   "{\"city\": \"Rome\", \"days\": 3}",
                                                   "{\"name\": \"get_weather\", \"arguments\": ",
                                                   "{",
                                                   "}",
                                                   "[",
                                                   "]",
                                                   "\"",
                                                   ":",
                                                   ",",
                                                   "\n",
                                                   " ",
                                                   "\n\n",
                                                   "city",
                                                   "Rome",
                                                   "3 < 4",
                                                   "<",
                                                   "</",
                                                   ">",
                                                   "é",
                                                   "日本",
                                                   "🙂",
                                                   "\\",
                                                   "```json\n",
                                                   "```",
                                                   "The weather is fine.",
                                                   "null",
                                                   "1e9",
                                                   "=",
                                                   "<think>",
                                                   "</think>"};
    std::string text;
    for (size_t n = below(24); n > 0; n--) {
        const bool is_tag = below(3) == 0 && !syntax.markers().empty();
        const std::string & piece = is_tag ? any_of(syntax.markers()) : any_of(words);
        text += below(8) == 0 ? piece.substr(0, whole_characters(piece, 0, below(piece.size() + 1))) : piece;
    }
    return is_text ? text : text.substr(below(text.size() / 2));
}

int n_answers = 0, n_follow = 0, n_gone_back = 0;

// The deltas of one answer are consistent, and together what upstream makes of the whole if it
// follows the format. A few lead upstream from one reading to another: they are incomplete.
void check_answer(const chat_prompt & prompt, const std::string & text, bool is_text) {
    chat_message all;
    const auto add = [&](const std::vector<chat_delta> & deltas) {
        for (const chat_delta & delta : deltas) {
            all.content += delta.content;
            all.reasoning += delta.reasoning;
            if (delta.tool_index >= 0) {
                if (static_cast<size_t>(delta.tool_index) == all.tool_calls.size()) {
                    all.tool_calls.push_back({delta.name, delta.id, ""});
                }
                all.tool_calls.at(static_cast<size_t>(delta.tool_index)).arguments += delta.arguments;
            }
        }
    };
    chat_stream stream(prompt.syntax, prompt.prefill);
    for (size_t at = 0; at < text.size();) {
        const size_t size = 1 + below(1 + below(40));
        const size_t n = is_text ? whole_characters(text, at, size) : std::min(size, text.size() - at);
        add(stream.feed(std::string_view(text).substr(at, n)));
        at += n;
    }
    add(stream.finish());
    std::string expected = shown(stream.message());
    bool follows = false;
    try {
        const chat_message whole = prompt.syntax->parse(text, false);
        follows = true;
        expected = stream.is_complete() ? shown(whole) : expected;
    } catch (const error &) {
    }
    if (shown(all) != expected || (stream.is_complete() && !follows)) {
        n_failed++;
        std::fprintf(stderr, "%s, of <%s>\n  is     %s\n  not    %s\n", prompt.format.c_str(), text.c_str(),
                     shown(all).c_str(), expected.c_str());
    }
    if (is_text) {
        n_answers++;
        n_follow += follows;
        n_gone_back += follows && !stream.is_complete();
    }
}

std::string mutated(std::string source) {
    static const std::vector<std::string> parts = {"{%",
                                                   "%}",
                                                   "{{",
                                                   "}}",
                                                   "{#",
                                                   "#}",
                                                   "-%}",
                                                   "{%- if x %}",
                                                   "{%- for m in messages %}",
                                                   "{% endfor %}",
                                                   "{% endif %}",
                                                   "{% else %}",
                                                   "{% macro f(x) %}",
                                                   "{% endmacro %}",
                                                   "{{ f(f) }}",
                                                   "messages",
                                                   "[",
                                                   "]",
                                                   "(",
                                                   ")",
                                                   "|",
                                                   "tojson",
                                                   " ~ ",
                                                   " * 99999999999",
                                                   "range(99999999)",
                                                   "namespace(x=1)",
                                                   "'",
                                                   "\"",
                                                   "\\",
                                                   "not ",
                                                   "{% set ns.x = ns %}",
                                                   "messages[::-1]",
                                                   "| length",
                                                   "loop",
                                                   "\x80",
                                                   "{% set messages = messages + messages %}"};
    for (size_t n = 1 + below(4); n > 0; n--) {
        const size_t at = below(source.size());
        switch (below(4)) {
            case 0: source.erase(at, 1 + below(60)); break;
            case 1: source.insert(at, any_of(parts)); break;
            case 2: source.insert(at, source.substr(below(source.size()), below(200))); break;
            default: source.replace(at, 1 + below(10), any_of(parts));
        }
    }
    return source;
}

// True when it renders.
bool check_template_source(const std::string & source) {
    const auto start = std::chrono::steady_clock::now();
    bool renders = false;
    try {
        renders = !chat_template::from_source(source, "<s>", "</s>")->render(request).text.empty();
    } catch (const error & e) {
        const std::string why = e.what();
        if (why.rfind("chat_template: ", 0) != 0 && why.rfind("messages: ", 0) != 0) {
            n_failed++;
            std::fprintf(stderr, "without the field's name: %s\n", why.c_str());
        }
    }
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
    if (taken.count() > longest_s) {
        n_failed++;
        std::fprintf(stderr, "%.1f s for\n%s\n", taken.count(), source.c_str());
    }
    return renders;
}

}  // namespace

int main(int argc, char ** argv) {
    const int times = argc > 1 ? std::atoi(argv[1]) : 1;
    const std::vector<std::string> sources = templates();
    int n_sources = 0, n_render = 0;
    for (const std::string & source : sources) {
        try {
            const chat_prompt prompt = chat_template::from_source(source, "<s>", "</s>")->render(request);
            for (int i = 0; i < 60 * times; i++) {
                check_answer(prompt, noise(*prompt.syntax, true), true);
                check_answer(prompt, noise(*prompt.syntax, false), false);
            }
        } catch (const error & e) {
            std::fprintf(stderr, "not rendered: %s\n", e.what());
        }
        for (int i = 0; i < 4 * times; i++, n_sources++) {
            n_render += check_template_source(mutated(source));
        }
    }
    std::printf(
        "%d answers, %d follow their format, %d of them after another reading; %d templates, %d render; "
        "%d failed\n",
        n_answers, n_follow, n_gone_back, n_sources, n_render, n_failed);
    const bool is_fair = n_follow > n_answers / 2 && n_render > n_sources / 10;
    return n_failed == 0 && is_fair && n_gone_back < n_follow / 100 ? 0 : 1;
}
