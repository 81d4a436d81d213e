#include "matrix_switch.h"

namespace {
thread_local bool allowed_here = true;
}

void jan_matrix_kernels_allow(bool allowed) { allowed_here = allowed; }

bool jan_matrix_kernels_allowed(void) { return allowed_here; }
