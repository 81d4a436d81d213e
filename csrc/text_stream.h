// Turns one request's tokens into text that is safe to show: never half a code point, never a
// part of a stop string.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace jan {

// For one thread. What take() returned is final; what is held back may still turn out to be
// the beginning of a stop string.
class text_stream {
  public:
    explicit text_stream(std::vector<std::string> stops);

    // Appends a token's bytes. True when a stop string is now complete: the text ends before it
    // and further calls change nothing.
    bool add(std::string_view bytes);

    // The bytes that became safe since the last call. Valid until the next call of add().
    std::string_view take();

    // No more tokens come: everything held back is shown, but for the beginning of a code point whose
    // rest never came. It stands for no character.
    void finish();

    bool stopped() const { return stopped_; }
    const std::string & stop_found() const { return stop_found_; }

  private:
    size_t held_for_stops() const;
    void repair();

    std::vector<std::string> stops_;
    size_t longest_stop_ = 0;
    std::string text_;    // not yet taken
    std::string raw_;     // bytes that are not whole code points yet, at most 3
    size_t n_ready_ = 0;  // of text_, safe to take
    size_t n_taken_ = 0;  // of text_, given out by the last take()
    bool stopped_ = false;
    std::string stop_found_;
};

}  // namespace jan
