// An answer as it comes: text in, what is new in the message out.
#pragma once

#include "chat.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace jan {

struct chat_delta {
    std::string content, reasoning;
    int tool_index = -1;    // which call the three below belong to; -1 = none
    std::string name, id;   // whole, and in the first delta of their call only
    std::string arguments;  // a piece
};

// One answer, one thread at a time. All deltas together are message(), which after finish() is
// what syntax.parse() makes of the whole text, without what the prompt already held.
//
// Plain text costs a look at its bytes: upstream's parser, which begins at the first byte each
// time, is asked where the text goes and again only when a marker may have come. Where it must be
// asked, the text has grown by a 64th before, so that n bytes cost some hundred parses in all.
class chat_stream {
  public:
    explicit chat_stream(std::shared_ptr<const chat_syntax> syntax, chat_message prefill = {});

    // `text` is whole characters.
    std::vector<chat_delta> feed(std::string_view text);

    // Everything that was held back. Nothing may be fed afterwards.
    std::vector<chat_delta> finish();

    const chat_message & message() const { return told_; }

    // After finish(): false when the text broke off or did not follow its format. message() is then
    // what of it could be read, and the rest as content when nothing could.
    bool is_complete() const { return complete_; }

    int64_t n_parses() const { return n_parses_; }

  private:
    enum class region { unknown, content, reasoning };
    struct plain {
        size_t n;        // bytes that belong to no marker
        bool is_marker;  // a whole one follows; else the end, or what may become one
    };

    plain plain_start(std::string_view text) const;
    size_t marker_start() const;
    chat_message parse(const std::string & text, bool is_partial);
    void pass_through(std::vector<chat_delta> & out);
    void ask(std::vector<chat_delta> & out);
    void find_region(const chat_message & now, std::vector<chat_delta> & out);
    void tell_text(std::string_view piece, region where, std::vector<chat_delta> & out);
    bool tell_all(const chat_message & now, bool is_final, std::vector<chat_delta> & out);
    bool tell_rest(const std::string & now, region where, std::vector<chat_delta> & out);
    bool tell_call(size_t i, const chat_message & now, bool is_final, std::vector<chat_delta> & out);

    const std::shared_ptr<const chat_syntax> syntax_;
    const chat_message prefill_;
    std::string text_;                    // everything fed
    region region_ = region::unknown;     // where plain text goes
    size_t passed_ = 0;                   // of text_, what was told; counts while region_ is known
    size_t asked_at_ = 0;                 // how long text_ was at the last parse
    std::vector<std::string> arguments_;  // of each call at the last parse
    chat_message told_;
    bool complete_ = true;
    bool may_begin_[256] = {};  // a marker, by its first byte
    int64_t n_parses_ = 0;
};

}  // namespace jan
