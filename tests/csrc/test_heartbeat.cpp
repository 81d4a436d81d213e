// The thread shows that it lives: from the beginning, and also while nobody asks for anything.
#include "check.h"

#include "open_engine.h"

#include <chrono>
#include <thread>

using namespace jan;

int main() {
    null_options nothing;
    nothing.shape = {kv_mode::unified, 4, 4000, 1000, true};
    engine_options options;
    options.beat_s = 0.01;
    const auto e = open_null_engine(nothing, options);
    const auto age_s = [&] { return e->clock_s() - e->stats().heartbeat_s; };
    CHECK(age_s() < 1);
    const double before_s = e->stats().heartbeat_s;
    const double limit_s = e->clock_s() + 10;
    while (e->stats().heartbeat_s < before_s + 0.1 && e->clock_s() < limit_s) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    CHECK(e->stats().heartbeat_s >= before_s + 0.1);
    CHECK_DONE();
}
