// The CPU backend for programs that have no engine around it.
#pragma once

#include "ggml-backend.h"
#include "ggml.h"

namespace jan::matrix {

// The best variant that the folder has; what upstream says meanwhile, and later, is not for us.
inline void open_backends(const char * folder) {
    ggml_log_set([](ggml_log_level, const char *, void *) {}, nullptr);
    ggml_backend_load_all_from_path(folder);
}

}  // namespace jan::matrix
