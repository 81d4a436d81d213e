#include "log.h"

#include "llama.h"

#include <deque>
#include <mutex>
#include <utility>

namespace jan {

namespace {

constexpr size_t ring_capacity = 1024;

struct log_ring {
    std::mutex mutex;
    std::deque<log_record> records;
};

log_ring & ring() {
    static log_ring & instance = *new log_ring;  // never destroyed: a thread may log at exit
    return instance;
}

thread_local log_capture * innermost_capture = nullptr;
// A line may come in pieces (GGML_LOG_LEVEL_CONT); it is complete at its newline.
thread_local log_record unfinished{log_level::info, {}};

log_level level_of(ggml_log_level level) {
    switch (level) {
        case GGML_LOG_LEVEL_ERROR: return log_level::error;
        case GGML_LOG_LEVEL_WARN: return log_level::warning;
        case GGML_LOG_LEVEL_INFO: return log_level::info;
        default: return log_level::debug;
    }
}

void keep(log_record record) {
    log_ring & r = ring();
    std::lock_guard<std::mutex> lock(r.mutex);
    if (r.records.size() == ring_capacity) {
        r.records.pop_front();
    }
    r.records.push_back(std::move(record));
}

void publish(log_record record) {
    if (innermost_capture) {
        innermost_capture->take(record);
    }
    keep(std::move(record));
}

void on_log(ggml_log_level level, const char * text, void *) {
    if (level != GGML_LOG_LEVEL_CONT) {
        if (!unfinished.text.empty() && unfinished.level != level_of(level)) {
            // Upstream broke off a line to say something else. No capture sees the fragment: it
            // may be upstream's catch block that speaks, and a capture may throw.
            keep(std::exchange(unfinished, {log_level::info, {}}));
        }
        unfinished.level = level_of(level);
    }
    unfinished.text += text;
    if (unfinished.text.empty() || unfinished.text.back() != '\n') {
        return;
    }
    while (!unfinished.text.empty() && unfinished.text.back() == '\n') {
        unfinished.text.pop_back();
    }
    log_record record = std::exchange(unfinished, {log_level::info, {}});
    if (!record.text.empty()) {
        publish(std::move(record));
    }
}

std::string without_function_name(const std::string & text) {
    const size_t colon = text.find(": ");
    const bool is_name = colon != std::string::npos && text.find(' ') > colon;
    return is_name ? text.substr(colon + 2) : text;
}

}  // namespace

void install_log() {
    static std::once_flag once;  // upstream's threads read it without a lock
    std::call_once(once, [] { llama_log_set(on_log, nullptr); });  // sets ggml's too
}

std::vector<log_record> drain_log() {
    log_ring & r = ring();
    std::lock_guard<std::mutex> lock(r.mutex);
    std::vector<log_record> taken(std::make_move_iterator(r.records.begin()),
                                  std::make_move_iterator(r.records.end()));
    r.records.clear();
    return taken;
}

log_capture::log_capture(info_callback on_info, void * context)
    : outer_(innermost_capture), on_info_(on_info), context_(context) {
    innermost_capture = this;
}

log_capture::~log_capture() { innermost_capture = outer_; }

void log_capture::take(const log_record & record) {
    switch (record.level) {
        case log_level::error:
            if (first_error_.empty()) {
                first_error_ = record.text;
            }
            break;
        case log_level::warning: last_warning_ = record.text; break;
        default:
            if (on_info_) {
                on_info_(context_, record.text);
            }
    }
}

bool log_capture::speaks_of_memory(const std::string & reason) {
    for (const char * sign : {"allocate", "allocation", "bad_alloc", "out of memory"}) {
        if (reason.find(sign) != std::string::npos) {
            return true;
        }
    }
    return false;
}

std::string log_capture::reason(const std::string & otherwise) const {
    const std::string & said = first_error_.empty() ? last_warning_ : first_error_;
    return said.empty() ? otherwise : without_function_name(said);
}

}  // namespace jan
