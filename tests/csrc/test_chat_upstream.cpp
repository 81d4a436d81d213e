// Upstream's own cases of what models answer: its test program, with our stream beside its session.
// Every answer is also fed in pieces of other sizes. Run it in upstream's folder.
#include "template_budget.h"  // first: it changes upstream's headers

#include "chat_stream.h"
#include "error.h"

#include "common/chat.h"
#include "common/log.h"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <random>

namespace jan {
std::vector<std::string> markers_of(const common_peg_arena & arena);
}

namespace {

long n_answers = 0;
long n_bytes = 0;
long n_parses = 0;
long n_failed = 0;

jan::chat_message message_of(const common_chat_msg & from) {
    jan::chat_message message;
    message.content = from.content;
    message.reasoning = from.reasoning_content;
    for (const common_chat_tool_call & call : from.tool_calls) {
        message.tool_calls.push_back({call.name, call.id, call.arguments});
    }
    return message;
}

class session_syntax : public jan::chat_syntax {
  public:
    explicit session_syntax(const common_chat_session & of) {
        params_.format = of.format();
        params_.generation_prompt = common_chat_input(of.generation_prompt());
        params_.parser = of.parser();
        markers_ = jan::markers_of(params_.parser);
    }

    jan::chat_message parse(const std::string & text, bool is_partial) const override {
        try {
            return message_of(common_chat_parse(common_chat_input(text), is_partial, params_));
        } catch (const std::exception & e) {
            throw jan::error(jan::errc::unsupported_feature, e.what());
        }
    }

  private:
    common_chat_parser_params params_;
};

std::string shown(const jan::chat_message & message) {
    std::string text = "content <" + message.content + "> reasoning <" + message.reasoning + ">";
    for (const jan::chat_tool_call & call : message.tool_calls) {
        text += " call " + call.name + " " + call.arguments;
    }
    return text;
}

// What all deltas together are, by what each of them says.
void add(jan::chat_message & all, const std::vector<jan::chat_delta> & deltas) {
    for (const jan::chat_delta & delta : deltas) {
        all.content += delta.content;
        all.reasoning += delta.reasoning;
        if (delta.tool_index < 0) {
            continue;
        }
        if (static_cast<size_t>(delta.tool_index) == all.tool_calls.size()) {
            all.tool_calls.push_back({delta.name, delta.id, ""});
        }
        all.tool_calls[static_cast<size_t>(delta.tool_index)].arguments += delta.arguments;
    }
}

// As many bytes as are asked for, and what is missing of a character.
size_t whole_characters(const std::string & text, size_t at, size_t n) {
    size_t end = std::min(text.size(), at + n);
    while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) {
        end++;
    }
    return end - at;
}

class watched_session : public common_chat_session {
  public:
    watched_session() = default;

    watched_session(const common_chat_templates * templates, const llama_vocab * vocab,
                    const common_chat_templates_inputs & inputs,
                    const common_chat_session_params & params = {})
        : common_chat_session(templates, vocab, inputs, params), prefill_(message_of(msg())),
          syntax_(std::make_shared<session_syntax>(*this)) {}

    const common_chat_msg & feed(const common_chat_input & chunk) {
        text_ += chunk.text;
        return common_chat_session::feed(chunk);
    }

    const common_chat_msg & finish(const common_chat_input & chunk = {}) {
        text_ += chunk.text;
        const common_chat_msg & result = common_chat_session::finish(chunk);
        for (const size_t size : {size_t(1), size_t(3), size_t(7), size_t(25), size_t(1000)}) {
            compare(message_of(result), "pieces of " + std::to_string(size), [size] { return size; });
        }
        for (unsigned seed = 0; seed < 8; seed++) {
            std::mt19937 random(seed);
            compare(message_of(result), "the pieces of seed " + std::to_string(seed),
                    [&] { return size_t(1) << (random() % 7) | (random() % 4); });
        }
        return result;
    }

  private:
    template <class Size>
    void compare(jan::chat_message expected, const std::string & pieces, const Size & size) const {
        expected.content.erase(0, prefill_.content.size());
        expected.reasoning.erase(0, prefill_.reasoning.size());
        jan::chat_stream stream(syntax_, prefill_);
        jan::chat_message all;
        for (size_t at = 0; at < text_.size();) {
            const size_t n = whole_characters(text_, at, size());
            add(all, stream.feed(std::string_view(text_).substr(at, n)));
            at += n;
        }
        add(all, stream.finish());
        n_answers++;
        n_bytes += static_cast<long>(text_.size());
        n_parses += stream.n_parses();
        if (shown(all) != shown(expected) || shown(stream.message()) != shown(expected)) {
            n_failed++;
            std::fprintf(stderr, "in %s: <%s>\n  is     %s\n  not    %s\n", pieces.c_str(), text_.c_str(),
                         shown(all).c_str(), shown(expected).c_str());
        }
    }

    std::string text_;
    jan::chat_message prefill_;
    std::shared_ptr<const session_syntax> syntax_;
};

}  // namespace

#define common_chat_session watched_session
#include "tests/test-chat.cpp"
#undef common_chat_session

int main() {
    test_chat_session();
    test_template_output_peg_parsers(false);
    std::printf("%ld answers, %ld bytes, %ld parses, %ld differ\n", n_answers, n_bytes, n_parses, n_failed);
    return n_failed == 0 && n_answers > 1000 ? 0 : 1;
}
