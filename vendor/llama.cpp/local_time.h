// Included before everything else of upstream's common/: templates are rendered on several threads at
// once, and std::localtime writes into one struct for all of them.
#pragma once

#include <ctime>

namespace std {

inline tm * jan_localtime(const time_t * seconds) {
    static thread_local tm parts;
    return localtime_r(seconds, &parts);
}

}  // namespace std

#define localtime jan_localtime
