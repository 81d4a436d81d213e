#include "machine_loops.h"

#include <atomic>

namespace {

std::atomic<const jan_machine_loops *> offered{nullptr};

}  // namespace

void jan_machine_loops_offer(const jan_machine_loops * loops) { offered = loops; }
const jan_machine_loops * jan_machine_loops_offered(void) { return offered; }
