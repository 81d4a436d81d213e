/* How AMX's tiles get their shapes.
 *
 * GCC before 12.4 and 13.3 (its bug 114098) declares that _tile_loadconfig reads eight of the 64
 * bytes it is given, so it drops the stores to the other 56 in front of it. Tiles then have no rows,
 * and the first instruction on one is illegal. This one says what it reads, whatever the compiler.
 *
 * Included before upstream's mmq.cpp by the compiler's command line: the file itself is upstream's. */
#pragma once

#if defined(__x86_64__) && defined(__GNUC__)

#    include <immintrin.h>

#    ifndef JAN_LOAD_TILES /* a test, on any processor, looks at the bytes instead */
#        define JAN_LOAD_TILES "ldtilecfg %0"
#    endif

struct jan_tile_configuration {
    unsigned char bytes[64];
};

static inline void jan_load_tile_configuration(const void * from) {
    __asm__ volatile(JAN_LOAD_TILES : : "m"(*(const struct jan_tile_configuration *) from));
}

#    define _tile_loadconfig(from) jan_load_tile_configuration(from)

#endif
