#include "trial.h"

#include "abort_guard.h"
#include "context.h"
#include "error.h"
#include "log.h"

#include <algorithm>

namespace jan {

void try_out(const model & source, llama_context * context, bool flash) {
    if (!source.was_tried_out(flash)) {
        try_pass(source, context);
        source.note_tried_out(flash);
    }
}

void try_pass(const model & source, llama_context * context) {
    const int32_t n_threads = llama_n_threads(context);
    const int32_t n_threads_batch = llama_n_threads_batch(context);
    llama_set_n_threads(context, 1, 1);
    const auto most = static_cast<int32_t>(std::min(llama_n_batch(context), llama_n_ctx(context)));
    const log_capture log;
    const abort_guard guard;
    token ids[] = {0, 0};
    for (const int32_t n : {2, 1}) {
        if (decode_rows(source, context, llama_batch_get_one(ids, std::min(n, most))) != 0) {
            throw error(errc::backend_failure, log.reason("the first forward pass failed"));
        }
        llama_synchronize(context);  // a device's queue may hold what fails
        llama_memory_clear(llama_get_memory(context), false);
    }
    llama_set_n_threads(context, n_threads, n_threads_batch);
}

}  // namespace jan
