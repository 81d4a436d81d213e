// check_lanes BACKENDS MODEL N...: a lane with N tokens trades places with a short one, and both go
// on as if nothing had happened. It needs a model, so a Python test writes one and runs this.
#include "backend.h"
#include "check.h"
#include "llama_forward.h"
#include "sequence.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace {

using namespace jan;

constexpr int max_rows = 512;
constexpr int n_short = 20;

sequence in_lane(int lane, int n) {
    request ask;
    for (int i = 0; i < n; ++i) {
        ask.prompt.push_back(static_cast<token>(2 + (i * 7919 + lane * 31) % 250));
    }
    sequence s(std::move(ask), 0);
    s.lane = lane;
    return s;
}

// The logits after n more tokens.
std::vector<float> go_on(llama_forward & through, sequence & s, int n) {
    while (n > 0) {
        const int n_rows = std::min(n, max_rows);
        const slice rows{&s, n_rows, 1};
        CHECK(through.run(&rows, 1) == pass_status::done);
        s.n_computed += n_rows;
        n -= n_rows;
    }
    const float * logits = through.logits(0);
    return {logits, logits + through.n_vocab()};
}

double apart(const std::vector<float> & a, const std::vector<float> & b) {
    double most = 0;
    for (size_t i = 0; i < a.size(); ++i) {
        most = std::max(most, static_cast<double>(std::abs(a[i] - b[i])));
    }
    return most;
}

void trade(const std::shared_ptr<const model> & source, int n) {
    forward_options options;
    options.n_lanes = 2;
    options.n_ctx = n + 16;
    options.max_rows = max_rows;
    options.n_threads = 1;
    options.kv_mode = static_cast<int>(kv_mode::streams);
    options.cache_type = "f32";
    options.flash_attention = 0;
    llama_forward through(source, options);
    std::vector<float> expected[2];
    for (const bool moves : {false, true}) {
        sequence both[] = {in_lane(0, n + 1), in_lane(1, n_short + 1)};
        for (const int lane : {0, 1}) {
            through.apply({lane_change::kind::trim, lane, -1, 0, 0});
        }
        go_on(through, both[0], n);
        go_on(through, both[1], n_short);
        if (moves) {
            through.apply({lane_change::kind::swap, 0, 1, 0, 0});
            std::swap(both[0].lane, both[1].lane);
        }
        for (const int i : {0, 1}) {
            sequence & s = both[i];
            const std::vector<float> found =
                go_on(through, s, static_cast<int>(s.tokens.size()) - s.n_computed);
            if (moves) {
                CHECK(apart(found, expected[i]) < 1e-3);
            }
            expected[i] = found;
        }
    }
}

}  // namespace

int main(int argc, char ** argv) {
    if (argc < 4) {
        std::fprintf(stderr, "usage: check_lanes BACKENDS MODEL N...\n");
        return 2;
    }
    load_backends(argv[1]);
    load_options options;
    options.path = argv[2];
    load_progress progress;
    const auto source = model::load(options, progress);
    for (int i = 3; i < argc; ++i) {
        trade(source, std::atoi(argv[i]));
    }
    CHECK_DONE();
}
