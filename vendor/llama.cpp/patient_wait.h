/* How ggml's workers wait for each other at the barrier between two operations.
 *
 * Upstream spins without end. That is right while every worker has a core of its own. When
 * another process has taken one, the workers that wait burn the time their fellow needs, and two
 * busy neighbours cost far more than half of the machine. So a wait that has gone on for longer
 * than any operation should differ between workers gives its core away, and goes on waiting.
 *
 * Included before ggml-cpu.c by the compiler's command line: the file itself is upstream's. */
#pragma once

#if defined(__x86_64__) && defined(__linux__) && !defined(__cplusplus)

#    include <immintrin.h>
#    include <stdint.h>
#    include <time.h>
#    include <x86intrin.h>

/* In cycles of the time stamp counter, which counts some two to four per nanosecond. */
enum {
    jan_same_wait = 2500,  /* a pause that comes later than this after another belongs to another wait */
    jan_patience = 400000,   /* spinning */
    jan_napping = 15000000,  /* then napping; then spinning again, so that a worker which has had
                                no graph for this long uses up its rounds and sleeps for good */
};

static inline void jan_patient_pause(void) {
    static __thread uint64_t began, last;
    const uint64_t now = __rdtsc();
    if (now - last > jan_same_wait || now - began > 2 * (uint64_t) jan_napping) {
        began = now;
    }
    last = now;
    if (now - began < jan_patience) {
        _mm_pause();
    } else if (now - began < jan_napping) {
        /* Not sched_yield(): whoever yields is put behind, whoever wakes is let in. */
        const struct timespec nap = {0, 20000};
        nanosleep(&nap, 0);
        last = __rdtsc();
    }
}

#    define _mm_pause() jan_patient_pause()

#endif
