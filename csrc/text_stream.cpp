#include "text_stream.h"

#include <algorithm>

namespace jan {

namespace {

constexpr std::string_view replacement = "\xEF\xBF\xBD";

// How many bytes the code point at the start of `bytes` has: 0 when it is unfinished,
// -n when the first n bytes can belong to none.
int code_point(std::string_view bytes) {
    const auto at = [&](size_t i) { return static_cast<unsigned char>(bytes[i]); };
    const unsigned lead = at(0);
    if (lead < 0x80) {
        return 1;
    }
    if (lead < 0xC2 || lead > 0xF4) {
        return -1;
    }
    const int n = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    for (int i = 1; i < n; ++i) {
        if (static_cast<size_t>(i) == bytes.size()) {
            return 0;
        }
        // The second byte is narrower for overlong forms, surrogates and beyond U+10FFFF.
        const unsigned low = i > 1 ? 0x80 : lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
        const unsigned high = i > 1 ? 0xBF : lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
        const unsigned next = at(static_cast<size_t>(i));
        if (next < low || next > high) {
            return -i;
        }
    }
    return n;
}

}  // namespace

text_stream::text_stream(std::vector<std::string> stops) : stops_(std::move(stops)) {
    stops_.erase(std::remove(stops_.begin(), stops_.end(), std::string()), stops_.end());
    for (const std::string & stop : stops_) {
        longest_stop_ = std::max(longest_stop_, stop.size());
    }
}

void text_stream::repair() {
    size_t i = 0;
    while (i < raw_.size()) {
        const int n = code_point(std::string_view(raw_).substr(i));
        if (n == 0) {
            break;
        }
        if (n > 0) {
            text_.append(raw_, i, static_cast<size_t>(n));
            i += static_cast<size_t>(n);
        } else {
            text_.append(replacement);
            i += static_cast<size_t>(-n);
        }
    }
    raw_.erase(0, i);
}

bool text_stream::add(std::string_view bytes) {
    text_.erase(0, n_taken_);
    n_ready_ -= n_taken_;
    n_taken_ = 0;
    if (stopped_) {
        return true;
    }
    const size_t before = text_.size();
    raw_.append(bytes);
    repair();
    if (longest_stop_ > 0 && text_.size() > before) {
        size_t first = std::string::npos;
        for (const std::string & stop : stops_) {
            const size_t at = text_.find(stop, n_ready_);  // what is safe begins no stop
            if (at < first) {
                first = at;
                stop_found_ = stop;
            }
        }
        if (first != std::string::npos) {
            text_.resize(first);
            raw_.clear();
            n_ready_ = text_.size();
            stopped_ = true;
            return true;
        }
    }
    n_ready_ = text_.size() - held_for_stops();
    return false;
}

// The longest end of the text that is the beginning of a stop string.
size_t text_stream::held_for_stops() const {
    if (longest_stop_ == 0) {
        return 0;
    }
    const size_t most = std::min(text_.size(), longest_stop_ - 1);
    for (size_t n = most; n > 0; --n) {
        const std::string_view tail = std::string_view(text_).substr(text_.size() - n);
        for (const std::string & stop : stops_) {
            if (n < stop.size() && std::string_view(stop).substr(0, n) == tail) {
                return n;
            }
        }
    }
    return 0;
}

std::string_view text_stream::take() {
    const std::string_view ready = std::string_view(text_).substr(n_taken_, n_ready_ - n_taken_);
    n_taken_ = n_ready_;
    return ready;
}

void text_stream::finish() {
    raw_.clear();
    n_ready_ = text_.size();
}

}  // namespace jan
