// What llama.cpp and ggml print, kept in a ring until Python asks for it.
// Nothing here ever writes to a stream.
#pragma once

#include <string>
#include <vector>

namespace jan {

enum class log_level : int { debug = 1, info, warning, error };

struct log_record {
    log_level level;
    std::string text;
};

// Routes upstream's messages here. Safe to call from any thread, any number of times.
void install_log();

// Takes everything logged since the last call, oldest first. The ring keeps the newest 1024
// records; what was pushed out is gone.
std::vector<log_record> drain_log();

// While alive, remembers the warnings and errors that its own thread logs: upstream reports
// why a load failed only in its log. Captures nest; the inner one gets the record. It also
// sees every informational line, through `on_info`, for the one caller that counts progress.
class log_capture {
  public:
    using info_callback = void (*)(void * context, const std::string & text);

    explicit log_capture(info_callback on_info = nullptr, void * context = nullptr);
    ~log_capture();
    log_capture(const log_capture &) = delete;
    log_capture & operator=(const log_capture &) = delete;

    // The first error, which is the most specific one, or else the last warning, without
    // upstream's "function: " prefix.
    std::string reason(const std::string & otherwise) const;

    void take(const log_record & record);

    // Whether that reason is a failed allocation, which upstream tells in words only.
    static bool speaks_of_memory(const std::string & reason);

  private:
    log_capture * outer_;
    info_callback on_info_;
    void * context_;
    std::string first_error_;
    std::string last_warning_;
};

}  // namespace jan
