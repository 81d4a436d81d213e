// What choosing a token costs, beside llama.cpp's chain called as its server calls it. Not a test:
// prints figures.
#include "sampling_reference.h"

#include "best_token.h"
#include "sampling/row_pool.h"
#include "sampling/row_scan.h"
#include "sampling/sampler.h"

#include <chrono>
#include <cstdio>

namespace {

using namespace jan;

constexpr int n_vocab = 151936;
constexpr int n_rows = 32;

double seconds() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

template <class Work> double median_us(int n, Work && work) {
    std::vector<double> took;
    for (int i = 0; i < n; ++i) {
        const double start = seconds();
        work(i);
        took.push_back((seconds() - start) * 1e6);
    }
    std::nth_element(took.begin(), took.begin() + n / 2, took.end());
    return took[static_cast<size_t>(n / 2)];
}

sampling_limits limits() {
    sampling_limits l;
    l.n_vocab = n_vocab;
    l.n_ctx = 4096;
    return l;
}

// Upstream's defaults.
sampling_params usual() {
    sampling_params p;
    p.seed = 1;
    p.temperature = 0.8f;
    p.top_k = 40;
    p.top_p = 0.95f;
    p.min_p = 0.05f;
    return p;
}

std::vector<std::vector<float>> make_rows() {
    std::mt19937 random(1);
    std::vector<std::vector<float>> rows;
    for (int i = 0; i < n_rows; ++i) {
        rows.push_back(reference::make_row(i % 2 ? reference::row_kind::peaked : reference::row_kind::usual,
                                           n_vocab, random));
    }
    return rows;
}

void compare(const char * name, const sampling_params & asked, std::vector<std::vector<float>> & rows) {
    const sampling_params p = settled(asked, limits());
    sampler ours(p, limits(), nullptr);
    reference::chain theirs(p, n_vocab, nullptr);
    sampling_scratch scratch;
    std::vector<token> prompt(200);
    for (size_t i = 0; i < prompt.size(); ++i) {
        prompt[i] = static_cast<token>(i * 37);
        theirs.accept(prompt[i]);
    }
    ours.accept_prompt(prompt);
    const double us = median_us(
        101, [&](int i) { ours.accept(ours.choose(rows[static_cast<size_t>(i % n_rows)].data(), scratch)); });
    const double their_us = median_us(
        101, [&](int i) { theirs.accept(theirs.choose(rows[static_cast<size_t>(i % n_rows)].data())); });
    std::printf("%-34s %-12s %8.1f us   upstream %8.1f us   1/%.1f\n", name, ours.way(), us, their_us,
                their_us / us);
}

double rows_us(int n_threads, std::vector<std::vector<float>> & rows) {
    row_pool pool(n_threads);
    std::vector<sampling_scratch> scratch(static_cast<size_t>(pool.n_threads()));
    std::vector<std::unique_ptr<sampler>> samplers;
    for (int i = 0; i < n_rows; ++i) {
        samplers.push_back(std::make_unique<sampler>(usual(), limits(), nullptr));
    }
    const std::function<void(int, int)> work = [&](int row, int worker) {
        sampler & s = *samplers[static_cast<size_t>(row)];
        s.accept(s.choose(rows[static_cast<size_t>(row)].data(), scratch[static_cast<size_t>(worker)]));
    };
    return median_us(51, [&](int) { pool.run(n_rows, work); });
}

}  // namespace

int main() {
    std::vector<std::vector<float>> rows = make_rows();
    std::printf("one row of %d logits, %s\n", n_vocab, fastest_row_scan().instructions);
    sampling_params p = usual();
    compare("upstream's defaults", p, rows);
    p.repeat_penalty = 1.1f;
    compare("the same with penalties", p, rows);
    p.dry_multiplier = 0.8f;
    p.dry_sequence_breakers.clear();
    compare("the same with penalties and DRY", p, rows);
    p = usual();
    p.top_k = 200;
    compare("top-k 200", p, rows);
    p = usual();
    p.temperature = 0;
    compare("most likely, defaults otherwise", p, rows);
    p = sampling_params();
    p.temperature = 0;
    compare("most likely, nothing else", p, rows);
    p = usual();
    p.top_k = 0;
    p.top_p = 1;
    compare("min-p, temperature", p, rows);
    p.min_p = 0;
    compare("temperature", p, rows);
    p.top_p = 0.95f;
    compare("top-p, temperature", p, rows);
    p.top_p = 1;
    p.typical_p = 0.9f;
    compare("typical-p, temperature", p, rows);
    const double best = median_us(101, [&](int i) {
        volatile token chosen = best_token(rows[static_cast<size_t>(i % n_rows)].data(), n_vocab);
        static_cast<void>(chosen);
    });
    std::printf("best_token %.1f us\n", best);
    const double one = rows_us(1, rows);
    const double two = rows_us(2, rows);
    std::printf("%d rows: %.0f us on one thread, %.0f us on two: %.2f times as fast\n", n_rows, one, two,
                one / two);
    return 0;
}
