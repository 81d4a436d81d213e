#include "quantize.h"

#include "abort_guard.h"
#include "backend.h"
#include "error.h"
#include "log.h"
#include "processors.h"

#include <cstdio>
#include <map>

namespace jan {

namespace {

const std::map<std::string, llama_ftype> & types() {
    static const std::map<std::string, llama_ftype> table = {
        {"F32", LLAMA_FTYPE_ALL_F32},          {"F16", LLAMA_FTYPE_MOSTLY_F16},
        {"BF16", LLAMA_FTYPE_MOSTLY_BF16},     {"Q8_0", LLAMA_FTYPE_MOSTLY_Q8_0},
        {"Q6_K", LLAMA_FTYPE_MOSTLY_Q6_K},     {"Q5_K_M", LLAMA_FTYPE_MOSTLY_Q5_K_M},
        {"Q5_K_S", LLAMA_FTYPE_MOSTLY_Q5_K_S}, {"Q5_0", LLAMA_FTYPE_MOSTLY_Q5_0},
        {"Q5_1", LLAMA_FTYPE_MOSTLY_Q5_1},     {"Q4_K_M", LLAMA_FTYPE_MOSTLY_Q4_K_M},
        {"Q4_K_S", LLAMA_FTYPE_MOSTLY_Q4_K_S}, {"Q4_0", LLAMA_FTYPE_MOSTLY_Q4_0},
        {"Q4_1", LLAMA_FTYPE_MOSTLY_Q4_1},     {"IQ4_NL", LLAMA_FTYPE_MOSTLY_IQ4_NL},
        {"IQ4_XS", LLAMA_FTYPE_MOSTLY_IQ4_XS}, {"Q3_K_L", LLAMA_FTYPE_MOSTLY_Q3_K_L},
        {"Q3_K_M", LLAMA_FTYPE_MOSTLY_Q3_K_M}, {"Q3_K_S", LLAMA_FTYPE_MOSTLY_Q3_K_S},
        {"IQ3_M", LLAMA_FTYPE_MOSTLY_IQ3_M},   {"IQ3_S", LLAMA_FTYPE_MOSTLY_IQ3_S},
        {"Q2_K", LLAMA_FTYPE_MOSTLY_Q2_K},     {"TQ1_0", LLAMA_FTYPE_MOSTLY_TQ1_0},
        {"TQ2_0", LLAMA_FTYPE_MOSTLY_TQ2_0},   {"MXFP4_MOE", LLAMA_FTYPE_MOSTLY_MXFP4_MOE},
    };
    return table;
}

struct stop_quantizing : std::exception {
    const char * what() const noexcept override { return "cancelled"; }
};

// Upstream reports progress only as log lines, "[  12/ 290] name ...", printed on the calling
// thread between two tensors, when none of its workers runs. Its own try block is around us:
// an exception from here is its regular way out, with files closed.
void on_line(void * context, const std::string & text) {
    auto * progress = static_cast<load_progress *>(context);
    int done = 0;
    int total = 0;
    if (std::sscanf(text.c_str(), "[%d/%d]", &done, &total) == 2 && total > 0) {
        progress->fraction = static_cast<float>(done) / static_cast<float>(total);
        if (progress->cancel) {
            throw stop_quantizing();
        }
    }
}

// Upstream has one output stream, throws from nothing else that is a stream, and reads its source
// without one. The standard libraries word it differently: "basic_ios::clear: iostream error",
// "ios_base::clear: unspecified iostream_category error", "ios_base::failbit set: iostream stream
// error". None of them says which error the system gave.
bool speaks_of_writing(const std::string & reason) { return reason.find("iostream") != std::string::npos; }

}  // namespace

std::vector<std::string> quantize_types() {
    std::vector<std::string> names;
    for (const auto & [name, type] : types()) {
        names.push_back(name);
    }
    return names;
}

void quantize(const quantize_options & options, load_progress & progress) {
    require_backends();
    const auto type = types().find(options.type);
    if (type == types().end()) {
        std::string known;
        for (const std::string & name : quantize_types()) {
            known += " " + name;
        }
        throw error(errc::invalid_argument, "unknown quantisation type '" + options.type + "'",
                    "one of:" + known);
    }
    llama_model_quantize_params params = llama_model_quantize_default_params();
    params.ftype = type->second;
    params.nthread = checked_n_threads(options.n_threads);
    params.allow_requantize = options.requantize;
    params.pure = options.pure;

    const log_capture log(on_line, &progress);
    const abort_guard guard;
    const uint32_t failed = llama_model_quantize(options.source.c_str(), options.target.c_str(), &params);
    if (failed && progress.cancel) {
        throw error(errc::cancelled, "quantising was cancelled");
    }
    if (failed) {
        const std::string reason = log.reason("upstream gave no reason");
        if (log_capture::speaks_of_memory(reason)) {
            throw error(errc::out_of_memory, reason);
        }
        if (speaks_of_writing(reason)) {
            throw error(errc::write_failed, "the target could not be written", "the disk may be full");
        }
        throw error(errc::bad_model_file, reason);
    }
    progress.fraction = 1.0f;
}

}  // namespace jan
