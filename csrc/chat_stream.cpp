#include "chat_stream.h"

#include "error.h"

#include <algorithm>
#include <utility>

namespace jan {

namespace {

constexpr size_t least_growth = 24;  // bytes between two parses
constexpr size_t growth_part = 64;   // and a part of what there is already
constexpr char probe[] = "Wq";       // no marker begins or ends like this
constexpr size_t n_probe = 2;
constexpr size_t n_alike = 12;  // how much of a region's end must be the text's

bool begins_with(std::string_view text, std::string_view start) {
    return text.substr(0, start.size()) == start;
}

bool ends_with(std::string_view text, std::string_view end) {
    return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

bool is_blank(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

std::string_view common_start(std::string_view a, std::string_view b) {
    const size_t most = std::min(a.size(), b.size());
    size_t n = 0;
    while (n < most && a[n] == b[n]) {
        n++;
    }
    while (n > 0 && n < a.size() && (static_cast<unsigned char>(a[n]) & 0xC0) == 0x80) {
        n--;  // not within a character
    }
    return a.substr(0, n);
}

bool same_calls(const chat_message & a, const chat_message & b) {
    return std::equal(a.tool_calls.begin(), a.tool_calls.end(), b.tool_calls.begin(), b.tool_calls.end(),
                      [](const chat_tool_call & x, const chat_tool_call & y) {
                          return x.name == y.name && x.arguments == y.arguments;
                      });
}

}  // namespace

chat_stream::chat_stream(std::shared_ptr<const chat_syntax> syntax, chat_message prefill)
    : syntax_(std::move(syntax)), prefill_(std::move(prefill)) {
    for (const std::string & marker : syntax_->markers()) {
        may_begin_[static_cast<unsigned char>(marker[0])] = true;
    }
}

std::vector<chat_delta> chat_stream::feed(std::string_view text) {
    std::vector<chat_delta> out;
    text_ += text;
    if (region_ != region::unknown) {
        pass_through(out);
    }
    const bool grown = text_.size() >= asked_at_ + std::max(least_growth, asked_at_ / growth_part);
    if (region_ == region::unknown && (grown || asked_at_ == 0) && !text_.empty()) {
        ask(out);
    }
    return out;
}

std::vector<chat_delta> chat_stream::finish() {
    std::vector<chat_delta> out;
    try {
        complete_ = tell_all(parse(text_, false), true, out);
        return out;
    } catch (const error &) {
        complete_ = false;
    }
    try {
        tell_all(parse(text_, true), true, out);
    } catch (const error &) {
        if (region_ != region::unknown) {
            tell_text(std::string_view(text_).substr(passed_), region_, out);
        }
    }
    const bool is_silent = told_.content.empty() && told_.reasoning.empty() && told_.tool_calls.empty();
    if (is_silent && !text_.empty()) {
        tell_text(text_, region::content, out);
    }
    return out;
}

chat_stream::plain chat_stream::plain_start(std::string_view text) const {
    for (size_t i = 0; i < text.size(); i++) {
        if (!may_begin_[static_cast<unsigned char>(text[i])]) {
            continue;
        }
        const std::string_view from_here = text.substr(i);
        bool may_become = false;
        for (const std::string & marker : syntax_->markers()) {
            if (begins_with(from_here, marker)) {
                return {i, true};
            }
            may_become = may_become || begins_with(marker, from_here);
        }
        if (may_become) {
            return {i, false};
        }
    }
    return {text.size(), false};
}

// How many bytes at the end may become a marker.
size_t chat_stream::marker_start() const {
    const std::string_view tail =
        std::string_view(text_).substr(text_.size() - std::min<size_t>(text_.size(), 64));
    for (size_t i = 0; i < tail.size(); i++) {
        const std::string_view end = tail.substr(i);
        for (const std::string & marker : syntax_->markers()) {
            if (marker.size() > end.size() && begins_with(marker, end)) {
                return end.size();
            }
        }
    }
    return 0;
}

void chat_stream::pass_through(std::vector<chat_delta> & out) {
    const std::string_view rest = std::string_view(text_).substr(passed_);
    const plain found = plain_start(rest);
    size_t n = found.n;
    while (n > 0 && is_blank(rest[n - 1])) {
        n--;  // at the end of a part they may be dropped
    }
    tell_text(rest.substr(0, n), region_, out);
    passed_ += n;
    if (found.is_marker) {
        region_ = region::unknown;
    }
}

chat_message chat_stream::parse(const std::string & text, bool is_partial) {
    n_parses_++;
    return syntax_->parse(text, is_partial);
}

void chat_stream::ask(std::vector<chat_delta> & out) {
    asked_at_ = text_.size();
    try {
        const chat_message now = parse(text_, true);
        const bool calls_rest = now.tool_calls.size() == arguments_.size() &&
                                (arguments_.empty() || arguments_.back() == now.tool_calls.back().arguments);
        tell_all(now, false, out);
        if (calls_rest) {
            find_region(now, out);
        }
    } catch (const error &) {
        // The text is no message so far. finish() has the last word.
    }
}

// Where would plain text go from here? Upstream is asked with a word added that means nothing. The
// answer counts when the word was taken as it is, right after text that was taken as it is: blanks
// at the start of a part may be dropped.
void chat_stream::find_region(const chat_message & now, std::vector<chat_delta> & out) {
    const size_t n = text_.size() - marker_start();
    if (n == 0 || is_blank(text_[n - 1])) {
        return;
    }
    const chat_message then = parse(text_.substr(0, n) + probe, true);
    if (!same_calls(then, now)) {
        return;
    }
    const bool in_content = ends_with(then.content, probe);
    const std::string & field = in_content ? then.content : then.reasoning;
    if (!ends_with(field, probe)) {
        return;
    }
    const std::string_view before = std::string_view(field).substr(0, field.size() - n_probe);
    // What upstream held back may yet be a call to a tool whose name has not ended.
    const bool was_sure = begins_with(in_content ? now.content : now.reasoning, before);
    const size_t alike = std::min(n_alike, before.size());
    if (!was_sure || alike == 0 ||
        !ends_with(std::string_view(text_).substr(0, n), before.substr(before.size() - alike))) {
        return;
    }
    const region found = in_content ? region::content : region::reasoning;
    if ((in_content && !tell_rest(then.reasoning, region::reasoning, out)) ||
        !tell_rest(std::string(before), found, out)) {
        return;
    }
    region_ = found;
    passed_ = n;
    pass_through(out);
}

void chat_stream::tell_text(std::string_view piece, region where, std::vector<chat_delta> & out) {
    if (piece.empty()) {
        return;
    }
    chat_delta delta;
    (where == region::content ? delta.content : delta.reasoning) = piece;
    (where == region::content ? told_.content : told_.reasoning) += piece;
    out.push_back(std::move(delta));
}

// What `now` has beyond what was told. False when it is not its continuation.
bool chat_stream::tell_rest(const std::string & now, region where, std::vector<chat_delta> & out) {
    const bool is_content = where == region::content;
    const std::string & held = is_content ? prefill_.content : prefill_.reasoning;
    const std::string & told = is_content ? told_.content : told_.reasoning;
    const std::string_view rest = std::string_view(now).substr(begins_with(now, held) ? held.size() : 0);
    if (!begins_with(rest, told)) {
        return false;
    }
    tell_text(rest.substr(told.size()), where, out);
    return true;
}

bool chat_stream::tell_all(const chat_message & now, bool is_final, std::vector<chat_delta> & out) {
    bool follows = tell_rest(now.reasoning, region::reasoning, out);
    follows = tell_rest(now.content, region::content, out) && follows;
    for (size_t i = 0; i < now.tool_calls.size() && i <= told_.tool_calls.size(); i++) {
        follows = tell_call(i, now, is_final, out) && follows;
    }
    arguments_.clear();
    for (const chat_tool_call & call : now.tool_calls) {
        arguments_.push_back(call.arguments);
    }
    return follows && now.tool_calls.size() == told_.tool_calls.size();
}

// A name is told when it has ended, which arguments or another call show. Upstream closes a string
// that has not ended: of arguments that still grow only what two parses agree on is told.
bool chat_stream::tell_call(size_t i, const chat_message & now, bool is_final,
                            std::vector<chat_delta> & out) {
    const chat_tool_call & call = now.tool_calls[i];
    const bool has_ended = is_final || i + 1 < now.tool_calls.size();
    chat_delta delta;
    delta.tool_index = static_cast<int>(i);
    if (i == told_.tool_calls.size()) {
        if (call.name.empty() || (!has_ended && call.arguments.empty())) {
            return !is_final;
        }
        delta.name = call.name;
        delta.id = call.id;
        told_.tool_calls.push_back({call.name, call.id, ""});
    }
    chat_tool_call & told = told_.tool_calls[i];
    const std::string_view before =
        i < arguments_.size() ? std::string_view(arguments_[i]) : std::string_view();
    const std::string_view sure =
        has_ended ? std::string_view(call.arguments) : common_start(before, call.arguments);
    const bool follows = call.name == told.name && (begins_with(sure, told.arguments) || !has_ended);
    if (follows && sure.size() > told.arguments.size()) {
        delta.arguments = sure.substr(told.arguments.size());
        told.arguments = sure;
    }
    if (!delta.name.empty() || !delta.arguments.empty()) {
        out.push_back(std::move(delta));
    }
    return follows;
}

}  // namespace jan
