#include "check.h"
#include "log.h"

#include "llama.h"

#include <string>
#include <thread>

namespace {

// Upstream logs through the callback it was given; this gets at the one install_log() set.
void say(ggml_log_level level, const std::string & text) {
    ggml_log_callback callback = nullptr;
    void * context = nullptr;
    llama_log_get(&callback, &context);
    callback(level, text.c_str(), context);
}

void lines_arrive_whole_and_in_order() {
    say(GGML_LOG_LEVEL_INFO, "one ");
    say(GGML_LOG_LEVEL_CONT, "line\n");
    say(GGML_LOG_LEVEL_WARN, "two\n");
    const auto records = jan::drain_log();
    CHECK(records.size() == 2);
    CHECK(records[0].text == "one line" && records[0].level == jan::log_level::info);
    CHECK(records[1].text == "two" && records[1].level == jan::log_level::warning);
    CHECK(jan::drain_log().empty());
}

void a_line_broken_off_is_not_glued_to_the_next() {
    const jan::log_capture capture;
    say(GGML_LOG_LEVEL_INFO, "half a line, ");
    say(GGML_LOG_LEVEL_ERROR, "f: the reason\n");
    CHECK(capture.reason("none") == "the reason");
    const auto records = jan::drain_log();
    CHECK(records.size() == 2 && records[0].text == "half a line, ");
}

void the_ring_keeps_the_newest() {
    for (int i = 0; i < 3000; ++i) {
        say(GGML_LOG_LEVEL_INFO, std::to_string(i) + "\n");
    }
    const auto records = jan::drain_log();
    CHECK(records.size() == 1024);
    CHECK(records.back().text == "2999");
}

void a_capture_sees_its_own_thread_only() {
    const jan::log_capture outer;
    {
        const jan::log_capture inner;
        say(GGML_LOG_LEVEL_WARN, "f: a warning\n");
        CHECK(inner.reason("none") == "a warning");
        say(GGML_LOG_LEVEL_ERROR, "load: file: no\n");
        say(GGML_LOG_LEVEL_ERROR, "load: giving up\n");
        say(GGML_LOG_LEVEL_WARN, "later\n");
        CHECK(inner.reason("none") == "file: no");
    }
    CHECK(outer.reason("none") == "none");
    std::thread([] { say(GGML_LOG_LEVEL_ERROR, "elsewhere\n"); }).join();
    CHECK(outer.reason("none") == "none");
}

void threads_may_log_at_once() {
    jan::drain_log();
    std::thread a([] {
        for (int i = 0; i < 400; ++i)
            say(GGML_LOG_LEVEL_INFO, "a\n");
    });
    std::thread b([] {
        for (int i = 0; i < 400; ++i)
            say(GGML_LOG_LEVEL_INFO, "b\n");
    });
    a.join();
    b.join();
    CHECK(jan::drain_log().size() == 800);
}

}  // namespace

int main() {
    jan::install_log();
    lines_arrive_whole_and_in_order();
    a_line_broken_off_is_not_glued_to_the_next();
    the_ring_keeps_the_newest();
    a_capture_sees_its_own_thread_only();
    threads_may_log_at_once();
    CHECK_DONE();
}
