// Text that is held back and given out piece by piece is the text one would cut from the whole.
#include "check.h"

#include "text_stream.h"

#include <random>
#include <string>
#include <vector>

namespace {

using jan::text_stream;

struct result {
    std::string text;
    bool stopped = false;
    std::vector<std::string> pieces;
};

result streamed(const std::string & bytes, const std::vector<std::string> & stops, std::mt19937 & random) {
    text_stream stream(stops);
    result r;
    size_t at = 0;
    while (at < bytes.size() && !r.stopped) {
        const size_t n = 1 + random() % 3;
        r.stopped = stream.add(std::string_view(bytes).substr(at, n));
        at += n;
        if (random() % 2) {
            r.pieces.emplace_back(stream.take());
        }
    }
    stream.finish();
    r.pieces.emplace_back(stream.take());
    for (const std::string & piece : r.pieces) {
        r.text += piece;
    }
    return r;
}

// The same, from the whole text at once: repair it, then cut at the first stop.
std::string whole(const std::string & bytes, const std::vector<std::string> & stops) {
    text_stream stream({});
    stream.add(bytes);
    stream.finish();
    std::string text(stream.take());
    // Of stops that are complete at the same byte the one that begins first counts.
    size_t best_end = std::string::npos;
    size_t best_begin = text.size();
    for (const std::string & stop : stops) {
        const size_t begin = stop.empty() ? std::string::npos : text.find(stop);
        if (begin != std::string::npos && begin + stop.size() < best_end) {
            best_end = begin + stop.size();
        }
    }
    for (const std::string & stop : stops) {
        const size_t begin = stop.empty() ? std::string::npos : text.find(stop);
        if (begin != std::string::npos && begin + stop.size() == best_end && begin < best_begin) {
            best_begin = begin;
        }
    }
    return text.substr(0, best_begin);
}

void test_any_pieces_give_the_same_text() {
    std::mt19937 random(1);
    const std::vector<std::string> parts = {"a",    "b",        "ab", "\xC3\xA9", "\xF0\x9F\x98\x80",
                                            "\xFF", "\xE2\x82", "x"};
    for (int i = 0; i < 20000; ++i) {
        std::string bytes;
        for (int n = 1 + static_cast<int>(random() % 12); n > 0; --n) {
            bytes += parts[random() % parts.size()];
        }
        std::vector<std::string> stops;
        for (int n = static_cast<int>(random() % 3); n > 0; --n) {
            std::string stop;
            for (int k = static_cast<int>(random() % 4); k > 0; --k) {
                stop += parts[random() % 5];
            }
            stops.push_back(stop);
        }
        // One byte at a time is what a model may do; a stop is found as soon as it is complete.
        text_stream bytewise(stops);
        std::string text;
        for (const char c : bytes) {
            const bool stopped = bytewise.add(std::string_view(&c, 1));
            text += bytewise.take();
            if (stopped) {
                break;
            }
        }
        bytewise.finish();
        text += bytewise.take();
        CHECK(text == whole(bytes, stops));
        const result r = streamed(bytes, stops, random);
        for (const std::string & piece : r.pieces) {
            CHECK(piece.empty() || (piece[0] & 0xC0) != 0x80);  // no piece begins inside a character
        }
        if (stops.empty()) {
            CHECK(r.text == text);
        }
    }
}

void test_no_part_of_a_stop_is_ever_shown() {
    text_stream stream({"<|end|>", "STOP"});
    std::string shown;
    for (const char * piece : {"fine <|", "en", "d of it ", "ST", "OP", " more"}) {
        stream.add(piece);
        shown += stream.take();
    }
    CHECK(shown == "fine <|end of it ");
    CHECK(stream.stopped());
    CHECK(stream.stop_found() == "STOP");
}

void test_bytes_of_no_character_are_replaced_and_half_a_one_at_the_end_is_dropped() {
    const auto repaired = [](const char * bytes) {
        text_stream stream({});
        stream.add(bytes);
        stream.finish();
        return std::string(stream.take());
    };
    CHECK(repaired("a\xE2\x82") == "a");
    CHECK(repaired("\xF0\x9F\x98\x8A\xF0\x9F\x98") == "\xF0\x9F\x98\x8A");
    CHECK(repaired("\xE2\x82x\xE2\x82") == "\xEF\xBF\xBDx");
    CHECK(repaired("\xC0\xAF") == "\xEF\xBF\xBD\xEF\xBF\xBD");
    CHECK(repaired("\xED\xA0\x80") == "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");  // half of a surrogate pair
    CHECK(repaired("\xF4\x8F\xBF\xBF") == "\xF4\x8F\xBF\xBF");
}

}  // namespace

int main() {
    test_any_pieces_give_the_same_text();
    test_no_part_of_a_stop_is_ever_shown();
    test_bytes_of_no_character_are_replaced_and_half_a_one_at_the_end_is_dropped();
    CHECK_DONE();
}
