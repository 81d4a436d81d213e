// Loops that reach what a processor allows, in the instructions of the CPU variant that was loaded. Part of
// libggml-base, as matrix_switch.h is: there a variant leaves them, and whoever measures finds them.
#pragma once

#include "ggml.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct jan_machine_loops {
    // Multiplies signed with unsigned bytes and adds the products, with nothing from memory; null where the
    // variant has no kernels of ours.
    void (*multiply)(int64_t n_rounds);
    int64_t operations_per_round;  // a product and its addition are two
    const char * instruction;      // that it is made of

    // Reads as fast as it can, a multiple of 4096 bytes; asked ahead, or as the processor does it.
    uint64_t (*read)(const void * from, size_t n_bytes, bool ask_ahead);
};

GGML_API void jan_machine_loops_offer(const struct jan_machine_loops * loops);
GGML_API const struct jan_machine_loops * jan_machine_loops_offered(void);  // null: by nobody yet

#ifdef __cplusplus
}
#endif
