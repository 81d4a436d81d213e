// The one exception that leaves csrc. Codes say whose fault it is and what is left behind;
// Python turns each into a class of its own (jan_engine/errors.py) and never parses a message.
#pragma once

#include <cstdint>
#include <exception>
#include <string>
#include <utility>
#include <vector>

namespace jan {

enum class errc : int {
    internal = 1,              // our bug; nothing is known about the state
    invalid_argument,          // the caller's value; nothing was done
    context_overflow,          // the prompt does not fit; nothing was done
    unsupported_feature,       // this model or build cannot do that; nothing was done
    model_not_found,           // no such file, or not readable
    bad_model_file,            // the file is damaged or inconsistent; nothing stays loaded
    unsupported_model_format,  // a model file, but not one this engine reads
    out_of_memory,             // an allocation failed; nothing stays loaded
    cancelled,                 // the caller asked to stop; nothing stays loaded
    write_failed,              // a file could not be written whole; what there is of it is no use
    backend_failure,           // a device or a library of the engine failed
    queue_full,                // too many wait already; nothing was done
    engine_closed,             // the engine takes no more; nothing was done
};

struct error : std::exception {
    explicit error(errc code_ = errc::internal, std::string message_ = {}, std::string hint_ = {})
        : code(code_), message(std::move(message_)), hint(std::move(hint_)) {}

    error & with(const char * name, int64_t value) {
        facts.emplace_back(name, value);
        return *this;
    }

    const char * what() const noexcept override { return message.c_str(); }

    errc code;
    std::string message;
    std::string hint;
    std::vector<std::pair<std::string, int64_t>> facts;  // attributes of the Python exception
};

// The exception being handled, as plain data. Call it only inside a catch block; any other
// exception type than `error` comes out as out_of_memory (std::bad_alloc) or internal.
error current_error() noexcept;

}  // namespace jan
