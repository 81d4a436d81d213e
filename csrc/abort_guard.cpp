#include "abort_guard.h"

#include "ggml.h"

#include <cstdio>
#include <mutex>
#include <string>

namespace jan {

namespace {

thread_local int depth = 0;
thread_local errc code = errc::bad_model_file;  // of the innermost guard

void on_abort(const char * message) {
    if (depth > 0) {
        throw error(code, std::string("a check inside llama.cpp failed: ") + message);
    }
    std::fprintf(stderr, "%s\n", message);  // ggml aborts when we return
}

}  // namespace

abort_guard::abort_guard(errc blame) : outer_(code) {
    code = blame;
    static std::once_flag installed;
    std::call_once(installed, [] { ggml_set_abort_callback(on_abort); });
    ++depth;
}

abort_guard::~abort_guard() {
    --depth;
    code = outer_;
}

}  // namespace jan
