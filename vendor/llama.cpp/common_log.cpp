// In place of upstream's common/log.cpp, which starts a thread and prints: warnings and errors
// go to llama.cpp's log callback, the rest nowhere.
#include "common_silence.h"
#include "llama.h"
#include "log.h"

#include <cstdarg>
#include <cstdio>

static thread_local int n_silences = 0;

common_silence::common_silence() { n_silences++; }

common_silence::~common_silence() { n_silences--; }

static void log_line(ggml_log_level level, const char * format, va_list values) {
    if (n_silences > 0) {
        return;
    }
    char text[1024];
    const int n = std::vsnprintf(text, sizeof(text), format, values);
    if (n < 0) {
        return;
    }
    // A line that was cut has lost its newline, without which it would wait for the next one.
    if (n >= (int) sizeof(text)) {
        text[sizeof(text) - 2] = '\n';
    }
    ggml_log_callback callback = nullptr;
    void * context = nullptr;
    llama_log_get(&callback, &context);
    if (callback) {
        callback(level, text, context);
    }
}

void jan_log_warning(const char * format, ...) {
    va_list values;
    va_start(values, format);
    log_line(GGML_LOG_LEVEL_WARN, format, values);
    va_end(values);
}

int common_log_get_verbosity_thold(void) { return LOG_LEVEL_WARN; }

bool common_log_get_jsonl(void) { return false; }

common_log * common_log_main(void) { return nullptr; }

void common_log_add(common_log *, ggml_log_level level, const char * format, ...) {
    va_list values;
    va_start(values, format);
    log_line(level, format, values);
    va_end(values);
}

void common_log_flush(common_log *) {}

void common_log_add_json(common_log *, const char *, const common_json &) {}
