// Our matrix kernels against products in double precision, beside upstream's on the same input.
#include "check.h"
#include "kernels/matrix_switch.h"
#include "product_error.h"

#include <algorithm>

namespace matrix = jan::matrix;

namespace {

using matrix::errors;
using matrix::product;
using matrix::shape;
using matrix::types;

errors errors_of(const shape & s, const std::vector<float> & activations, const std::vector<int32_t> & ids,
                 int n_threads) {
    const int64_t n_matrices = std::max<int64_t>(1, s.n_experts);
    const auto blocks = matrix::quantised_weights(s.type, s.k, s.n_rows * n_matrices, 1);
    const auto weights = matrix::to_doubles(s.type, blocks, s.k * s.n_rows * n_matrices);
    const auto exact = matrix::exact_products(s, matrix::pairings(s, ids), weights,
                                              {activations.begin(), activations.end()});
    return {
        matrix::relative_error(exact, matrix::computed(s, true, n_threads, blocks, activations, ids)),
        matrix::relative_error(exact, matrix::computed(s, false, n_threads, blocks, activations, ids)),
    };
}

void report(const shape & s, const char * what, const errors & e) {
    std::fprintf(stderr, "%s %lld x %lld, %lld columns, %s: ours %.3g, upstream's %.3g\n",
                 ggml_type_name(s.type), static_cast<long long>(s.k), static_cast<long long>(s.n_rows),
                 static_cast<long long>(s.n_columns), what, e.ours, e.upstreams);
}

// Nothing is rounded but the sums: what is left is single precision.
void check_exact(const shape & s, int n_threads, const std::vector<int32_t> & ids = {}) {
    const int64_t n_inputs = s.n_columns * (s.input_per_use ? s.n_used : 1);
    const auto activations = matrix::whole_numbers(static_cast<size_t>(s.k * n_inputs), 2);
    const errors e = errors_of(s, activations, ids, n_threads);
    // Where there are but a few results, the luck of one sum counts.
    const double alike = s.n_rows * s.n_columns < 32 ? 1.5 : 1.1;
    const bool good = e.ours <= std::max(5e-7, alike * e.upstreams);
    CHECK(good);
    if (!good) {
        report(s, "whole numbers", e);
    }
}

// Activations are rounded to bytes here, as upstream's are: as finely, so as well. Where nobody rounds them,
// for weights of sixteen bits, single precision is left.
void check_rounded(const shape & s) {
    const errors e = errors_of(s, matrix::normal_numbers(static_cast<size_t>(s.k * s.n_columns), 3), {}, 2);
    const bool good = e.ours <= std::max(1e-6, 1.03 * e.upstreams);
    CHECK(good);
    if (!good) {
        report(s, "normal numbers", e);
    }
}

int64_t block_of(ggml_type type) { return std::max<int64_t>(32, ggml_blck_size(type)); }

void every_type_and_number_of_columns() {
    for (const ggml_type type : types) {
        for (int64_t n = 1; n <= 65; ++n) {
            check_exact({type, 2 * block_of(type), 48, n}, 1 + n % 3);
        }
        for (const int64_t n_rows : {2, 15, 16, 17, 31, 130}) {
            for (const int64_t n : {1, 5, 13}) {
                check_exact({type, 3 * block_of(type), n_rows, n}, 2);
                check_exact({type, block_of(type), n_rows, n}, 4);
            }
        }
        check_rounded({type, 1024, 64, 9});
        check_rounded({type, 1024, 64, 1});
        check_rounded({type, 2048, 32, 31});
        if (block_of(type) == 32) {
            check_exact({type, 896, 40, 3}, 2);
        }
    }
}

void experts() {
    std::mt19937 random(4);
    for (const ggml_type type : types) {
        for (const bool input_per_use : {false, true}) {
            for (const int64_t n_tokens : {1, 7, 40}) {
                const shape s{type, 2 * block_of(type), 36, n_tokens, 5, 2, input_per_use};
                std::vector<int32_t> ids;
                for (int64_t t = 0; t < n_tokens;
                     ++t) {  // two different ones of the first four; the fifth rests
                    const int32_t first = static_cast<int32_t>(random() % 4);
                    ids.push_back(first);
                    ids.push_back((first + 1 + static_cast<int32_t>(random() % 3)) % 4);
                }
                check_exact(s, 2, ids);
                check_exact(s, 3, ids);
            }
        }
    }
}

// The switch is asked when weights are placed, and by the thread that asks.
void the_switch() {
    const shape s{GGML_TYPE_Q4_K, 256, 32, 4};
    product before(s, true, 1);
    CHECK(before.taken());
    jan_matrix_kernels_allow(false);
    CHECK(!jan_matrix_kernels_allowed());
    CHECK(!product(s, true, 1).taken());
    before.set_weights(matrix::quantised_weights(s.type, s.k, s.n_rows, 1));
    before.set_activations(matrix::normal_numbers(4 * 256, 2));
    before.compute();
    jan_matrix_kernels_allow(true);
    CHECK(product(s, true, 1).taken());
}

// What we have no layout for goes to upstream's kernels.
void other_types() {
    for (const ggml_type type : {GGML_TYPE_Q2_K, GGML_TYPE_F32}) {
        CHECK(!product({type, 256, 32, 4}, true, 1).taken());
    }
    CHECK(product({GGML_TYPE_Q4_0, 64, 32, 4}, false, 1).buffer_name() != "CPU_JAN");
}

}  // namespace

int main(int argc, char ** argv) {
    if (argc != 2) {
        std::fprintf(stderr, "usage: %s FOLDER_OF_BACKENDS\n", argv[0]);
        return 2;
    }
    matrix::open_backends(argv[1]);
    if (!matrix::ours()) {
        std::fprintf(stderr, "this processor's variant has no matrix kernels of ours\n");
        return 77;  // ctest: skipped
    }
    other_types();
    the_switch();
    every_type_and_number_of_columns();
    experts();
    CHECK_DONE();
}
