// Included before everything else of a file of upstream's common/ that warns on stderr: what it
// would print goes to upstream's log instead, and thereby where the rest of it goes.
#pragma once

#include <cstdio>

void jan_log_warning(const char * format, ...);

#define fprintf(stream, ...) jan_log_warning(__VA_ARGS__)
