// Whoever gets an id gets an ending, also when the engine closes at that very moment.
#include "check.h"

#include "error.h"
#include "open_engine.h"

#include <set>
#include <thread>

using namespace jan;

int main() {
    null_options nothing;
    nothing.shape = {kv_mode::unified, 4, 4000, 1000, true};
    for (int i = 0; i < 200; ++i) {
        const auto e = open_null_engine(nothing, engine_options());
        std::set<uint64_t> submitted;
        std::thread caller([&] {
            request r;
            r.prompt.assign(5, 1);
            try {
                for (;;) {
                    submitted.insert(e->submit(r));
                }
            } catch (const error & why) {
                CHECK(why.code == errc::engine_closed || why.code == errc::queue_full);
            }
        });
        std::this_thread::yield();
        e->close(false);
        caller.join();
        std::set<uint64_t> ended;
        event_batch batch;
        while (e->take(batch, 1)) {
            for (const event & told : batch.events) {
                if (told.ending >= 0) {
                    ended.insert(told.request);
                }
            }
        }
        CHECK(ended == submitted);
    }
    CHECK_DONE();
}
