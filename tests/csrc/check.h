// The whole test framework: CHECK prints what failed and where, and the program goes on.
#pragma once

#include <cstdio>

namespace check {
inline int n_failed = 0;
}

#define CHECK(condition)                                                                                     \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            std::fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                             \
            ++check::n_failed;                                                                               \
        }                                                                                                    \
    } while (false)

#define CHECK_DONE() return check::n_failed == 0 ? 0 : 1
