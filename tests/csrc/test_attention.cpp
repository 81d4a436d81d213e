// Our attention kernel against double precision: no further from it than upstream's on the same numbers.
//
//   test_attention FOLDER_OF_BACKENDS
#include "attention_op.h"
#include "check.h"

#include <cstdio>

namespace {

using attention::shape;

double error_of(const std::vector<float> & found, const std::vector<double> & expected) {
    double wrong = 0;
    double all = 0;
    for (size_t i = 0; i < expected.size(); ++i) {
        wrong += (found[i] - expected[i]) * (found[i] - expected[i]);
        all += expected[i] * expected[i];
    }
    return std::sqrt(wrong / (all > 0 ? all : 1));
}

int n_different = 0;   // from upstream's, to the bit
int n_other_sums = 0;  // by another cut, to the bit

void check_shape(const shape & s, int n_threads, uint32_t seed) {
    const attention::numbers n(s, seed);
    attention::operation ours(s, true, n_threads), theirs(s, false, n_threads);
    for (attention::operation * one : {&ours, &theirs}) {
        one->set(n);
        one->compute();
    }
    const auto expected = attention::expected(s, n);
    const double error = error_of(ours.result(), expected);
    const double their_error = error_of(theirs.result(), expected);
    // Upstream rounds queries to the cache's type and sums halves; ours do neither.
    if (!(error <= std::max(1.05 * their_error, 1e-6)) || !(error < 2e-6)) {
        std::fprintf(stderr,
                     "%s, %lld x %lld numbers, %lld of %lld heads, %lld rows, %lld cells, %lld streams, %d "
                     "threads, bias %g, cap %g, sinks %d, masked %d: %g, upstream %g\n",
                     ggml_type_name(s.type), static_cast<long long>(s.n_key),
                     static_cast<long long>(s.n_value), static_cast<long long>(s.n_cache_heads),
                     static_cast<long long>(s.n_heads), static_cast<long long>(s.n_rows),
                     static_cast<long long>(s.n_cells), static_cast<long long>(s.n_streams), n_threads,
                     s.max_bias, s.softcap, s.sinks, s.masked, error, their_error);
        CHECK(false);
    }
    n_different += ours.result() != theirs.result() ? 1 : 0;
}

// However many workers compute, the sums are those of the number that the work is cut for.
void check_workers(const shape & s, uint32_t seed) {
    constexpr int n_cut = 3;
    const attention::numbers n(s, seed);
    attention::operation all(s, true, n_cut, n_cut);
    all.set(n);
    all.compute();
    for (const int n_workers : {1, 2}) {
        attention::operation fewer(s, true, n_workers, n_cut), alone(s, true, n_workers);
        for (attention::operation * one : {&fewer, &alone}) {
            one->set(n);
            one->compute();
        }
        CHECK(fewer.result() == all.result());
        n_other_sums += alone.result() != all.result() ? 1 : 0;
    }
}

void test_random_shapes() {
    std::mt19937 random(7);
    const auto one_of = [&](std::initializer_list<int64_t> from) {
        return from.begin()[random() % from.size()];
    };
    for (uint32_t i = 0; i < 250; ++i) {
        shape s;
        s.type = static_cast<ggml_type>(
            one_of({GGML_TYPE_F16, GGML_TYPE_F16, GGML_TYPE_F32, GGML_TYPE_Q8_0, GGML_TYPE_Q4_0}));
        s.n_key = one_of({32, 64, 64, 96, 128, 192});
        s.n_value = random() % 4 ? s.n_key : one_of({32, 64, 128});
        s.n_cache_heads = one_of({1, 2, 3});
        s.n_heads = s.n_cache_heads * one_of({1, 2, 4, 7});
        s.n_rows = one_of({1, 1, 2, 5, 13, 33, 70});
        s.n_cells = one_of({1, 17, 64, 100, 256, 600});
        s.n_streams = one_of({1, 1, 2, 5});
        s.masked = random() % 8 != 0;
        s.max_bias = random() % 6 ? 0.0f : 8.0f;
        s.softcap = random() % 6 ? 0.0f : 30.0f;
        s.sinks = random() % 6 == 0;
        s.masked = s.masked || s.max_bias > 0;
        check_shape(s, static_cast<int>(one_of({1, 2, 5})), i);
        if (i % 5 == 0) {
            check_workers(s, i);
        }
    }
}

void test_all_heads_of_one_that_is_wide() {
    shape s;
    s.n_key = 576;
    s.n_value = 512;
    s.n_heads = 130;  // more than a share has queries otherwise
    s.n_cache_heads = 1;
    s.n_rows = 3;
    s.n_cells = 300;
    check_shape(s, 2, 1);
}

}  // namespace

int main(int argc, char ** argv) {
    if (argc != 2) {
        return 2;
    }
    matrix::open_backends(argv[1]);
    if (!matrix::ours()) {
        return 77;  // this processor's variant has none
    }
    test_random_shapes();
    test_all_heads_of_one_that_is_wide();
    CHECK(n_different > 150);  // else both were computed by one
    CHECK(n_other_sums > 0);   // else nothing was shown
    CHECK_DONE();
}
