// What the engine costs besides the forward pass. Not a test: prints figures.
#include "best_token.h"
#include "engine.h"
#include "kv_ledger.h"
#include "open_engine.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <random>
#include <vector>

namespace {

using namespace jan;

double seconds() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

template <class Work> double median_us(Work && work) {
    std::vector<double> took;
    for (int i = 0; i < 31; ++i) {
        const double start = seconds();
        work();
        took.push_back((seconds() - start) * 1e6);
    }
    std::nth_element(took.begin(), took.begin() + 15, took.end());
    return took[15];
}

// 64 streams of 500 tokens; the reader takes every step's events and does nothing with them.
double engine_us_per_token(kv_mode mode) {
    null_options nothing;
    nothing.shape = {mode, 64, 64 * 1024, 1024, true};
    nothing.n_vocab = 64;
    const auto e = open_null_engine(nothing, engine_options());
    request r;
    r.max_tokens = 500;
    for (int i = 0; i < 64; ++i) {
        r.prompt.assign(20, i % 64);
        e->submit(r);
    }
    event_batch batch;
    while (e->stats().n_finished < 64 && e->take(batch, 1)) {
    }
    const engine_stats & s = e->stats();
    return (s.busy_s - s.forward_s) / static_cast<double>(s.n_decode_rows) * 1e6;
}

double prefix_us(bool all_share) {
    kv_ledger ledger({kv_mode::streams, 64, 64 * 8192, 8192, true});
    std::vector<token> tokens(4096, 1);
    for (int lane = 0; lane < 64; ++lane) {
        std::vector<token> held = tokens;
        held[all_share ? 4095 : 0] = 2 + lane;
        ledger.claim(lane, 1, "", true);
        ledger.append(lane, held.data(), 4096);
    }
    return median_us([&] { ledger.longest_prefix(tokens, 4095, ""); });
}

double best_token_us(int n_vocab) {
    std::mt19937 random(1);
    std::vector<float> logits(static_cast<size_t>(n_vocab));
    for (float & x : logits) {
        x = static_cast<float>(random() % 10000);
    }
    volatile token found = 0;
    return median_us([&] { found = best_token(logits.data(), n_vocab); });
}

}  // namespace

int main() {
    for (const auto mode : {kv_mode::unified, kv_mode::streams}) {
        std::vector<double> us;
        for (int i = 0; i < 5; ++i) {
            us.push_back(engine_us_per_token(mode));
        }
        std::sort(us.begin(), us.end());
        std::printf("engine without the forward pass, 64 streams, %s: %.2f us per token (%.2f to %.2f)\n",
                    mode == kv_mode::unified ? "unified" : "streams", us[2], us[0], us[4]);
    }
    std::printf("prefix of 4096 tokens in 64 lanes: %.2f us when all share it, %.2f us when none does\n",
                prefix_us(true), prefix_us(false));
    std::printf("most likely of 32000 tokens: %.1f us, of 151936: %.1f us\n", best_token_us(32000),
                best_token_us(151936));
}
