#include "context.h"

#include "abort_guard.h"
#include "error.h"
#include "log.h"

#include <string>

namespace jan {

namespace {

// Upstream says only in its log which kernel it took: the wish as it understood it, then, of "auto",
// that the device has what the flash kernel needs. That it has not is a warning.
void read_kernel(void * flash, const std::string & line) {
    bool & found = *static_cast<bool *>(flash);
    if (line.find("flash_attn ") != std::string::npos) {
        found = line.find("= enabled") != std::string::npos;
    } else if (line.find("Flash Attention enabled") != std::string::npos) {
        found = true;
    }
}

}  // namespace

context_handle open_context(const model & of, const llama_context_params & params, const char * advice,
                            bool * flash) {
    bool ignored = false;
    const log_capture log(read_kernel, flash ? flash : &ignored);
    const abort_guard guard;
    const auto still = of.adapters_still();
    context_handle made(llama_init_from_model(of.handle(), params));
    if (made) {
        return made;
    }
    const std::string reason = log.reason("the context could not be created");
    if (log_capture::speaks_of_memory(reason)) {
        throw error(errc::out_of_memory, reason, advice);
    }
    if (reason.find("cache") != std::string::npos) {  // it does not fit the model's heads or its kernel
        throw error(errc::invalid_argument, "cache_type: " + reason);
    }
    throw error(errc::backend_failure, reason);
}

int32_t decode_rows(const model & of, llama_context * context, const llama_batch & rows) {
    const auto still = of.adapters_still();
    return llama_decode(context, rows);
}

}  // namespace jan
