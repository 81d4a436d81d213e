// bench_chat TEMPLATE: what reading a chat answer costs per token while it comes, beside asking
// upstream's parser for the whole text at each token. The template is one of upstream's collection.
#include "chat.h"
#include "chat_stream.h"
#include "error.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <iterator>

namespace {

using namespace jan;

constexpr size_t n_tokens = 4096;
constexpr size_t token_bytes = 4;
constexpr int n_rounds = 5;

constexpr const char * request = R"({"messages": [{"role": "user", "content": "Hello"}], "tools": [
    {"type": "function", "function": {"name": "write_file", "parameters": {"type": "object",
     "properties": {"path": {"type": "string"}, "text": {"type": "string"}}, "required": ["path", "text"]}}}]})";

std::string prose(size_t n_bytes) {
    std::string text;
    while (text.size() < n_bytes) {
        text += "The harbour was quiet, and 3 < 4 boats lay there. ";
    }
    return text.substr(0, n_bytes);
}

double seconds_since(std::chrono::steady_clock::time_point start) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double streamed(const chat_prompt & prompt, const std::string & answer, int64_t & n_parses) {
    const auto start = std::chrono::steady_clock::now();
    chat_stream stream(prompt.syntax, prompt.prefill);
    for (size_t at = 0; at < answer.size(); at += token_bytes) {
        stream.feed(std::string_view(answer).substr(at, token_bytes));
    }
    stream.finish();
    n_parses = stream.n_parses();
    return seconds_since(start);
}

double parsed_again(const chat_prompt & prompt, const std::string & answer) {
    const auto start = std::chrono::steady_clock::now();
    for (size_t at = 0; at < answer.size(); at += token_bytes) {
        try {
            prompt.syntax->parse(answer.substr(0, at + token_bytes), true);
        } catch (const error &) {
        }
    }
    return seconds_since(start);
}

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

void compare(const char * what, const chat_prompt & prompt, const std::string & answer) {
    std::vector<double> ours, again, ratios;
    int64_t n_parses = 0;
    for (int round = 0; round < n_rounds; round++) {
        ours.push_back(streamed(prompt, answer, n_parses));
        again.push_back(parsed_again(prompt, answer));
        ratios.push_back(again.back() / ours.back());
    }
    const double per_token = 1e6 * token_bytes / static_cast<double>(answer.size());
    std::printf("%-28s %8.2f us per token, %8.2f parsing again, %7.0f times, %lld parses\n", what,
                median(ours) * per_token, median(again) * per_token, median(ratios),
                static_cast<long long>(n_parses));
}

}  // namespace

int main(int argc, char ** argv) {
    std::ifstream file(argc > 1 ? argv[1] : "");
    const std::string source{std::istreambuf_iterator<char>(file), {}};
    if (source.empty()) {
        std::fprintf(stderr, "bench_chat TEMPLATE\n");
        return 2;
    }
    const chat_prompt prompt = chat_template::from_source(source, "", "")->render(request);
    const size_t n = n_tokens * token_bytes;
    compare("prose", prompt, prose(n));
    compare("reasoning, then prose", prompt, "<think>\n" + prose(n / 2) + "\n</think>\n\n" + prose(n / 2));
    compare("a call with a long argument", prompt,
            "<tool_call>\n{\"name\": \"write_file\", \"arguments\": {\"path\": \"a\", \"text\": \"" +
                prose(n) + "\"}}\n</tool_call>");
    return 0;
}
