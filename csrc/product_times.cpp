#include "product_times.h"

#include "backend.h"
#include "error.h"
#include "matrix_product.h"
#include "processors.h"

#include <algorithm>
#include <chrono>
#include <memory>

namespace jan {

namespace {

constexpr int64_t at_least_ns = 200'000'000;

void require(bool condition, const char * what) {
    if (!condition) {
        throw error(errc::invalid_argument, what);
    }
}

ggml_type type_named(const std::string & name) {
    for (int i = 0; i < GGML_TYPE_COUNT; ++i) {
        const auto type = static_cast<ggml_type>(i);
        const ggml_type_traits * traits = ggml_get_type_traits(type);
        const bool is_known =
            (traits->is_quantized && traits->to_float) || type == GGML_TYPE_F16 || type == GGML_TYPE_BF16;
        if (traits->type_name && name == traits->type_name && is_known &&
            !ggml_quantize_requires_imatrix(type)) {
            return type;
        }
    }
    throw error(errc::invalid_argument, "type: '" + name + "' is no type that weights are kept in");
}

matrix::shape shape_of(const timed_product & asked) {
    const matrix::shape s{type_named(asked.type), asked.width, asked.n_rows, asked.n_columns};
    require(s.k > 0 && s.k <= 1 << 20 && s.k % ggml_blck_size(s.type) == 0,
            "width: must be a multiple of the type's block, and no more than 1048576");
    require(s.n_rows > 1 && s.n_rows <= 1 << 24, "n_rows: must be between 2 and 16777216");
    require(s.n_columns > 0 && s.n_columns <= 1 << 16, "n_columns: must be between 1 and 65536");
    require(s.k * s.n_rows <= int64_t{1} << 31 && s.n_rows * s.n_columns <= 1 << 28,
            "n_rows: that many weights, or results, are more than there should be memory for");
    require(asked.n_repeats > 0, "n_repeats: must be at least 1");
    return s;
}

// The same few rows again and again: quantising takes longer than everything else.
std::vector<uint8_t> weights_of(const matrix::shape & s) {
    const int64_t n_different = std::min<int64_t>(s.n_rows, 64);
    const auto some = matrix::quantised_weights(s.type, s.k, n_different, 1);
    const size_t n_bytes = ggml_row_size(s.type, s.k) * static_cast<size_t>(s.n_rows);
    std::vector<uint8_t> all;
    all.reserve(n_bytes + some.size());
    while (all.size() < n_bytes) {
        all.insert(all.end(), some.begin(), some.end());
    }
    all.resize(n_bytes);
    return all;
}

int64_t ns_of(matrix::product & product) {
    const auto begin = std::chrono::steady_clock::now();
    product.compute();
    return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now() - begin)
        .count();
}

}  // namespace

product_times time_product(const timed_product & asked, const std::atomic<bool> & cancel) {
    require_backends();
    const matrix::shape s = shape_of(asked);
    const int n_threads = checked_n_threads(asked.n_threads);
    const auto weights = weights_of(s);
    const auto activations = matrix::normal_numbers(static_cast<size_t>(s.k * s.n_columns), 2);
    product_times found;
    std::unique_ptr<matrix::product> ours;
    if (matrix::ours()) {
        ours = std::make_unique<matrix::product>(s, true, n_threads);
        if (!ours->taken()) {
            ours.reset();
        }
    }
    matrix::product upstreams(s, false, n_threads);
    for (matrix::product * product : {ours.get(), &upstreams}) {
        if (product) {
            product->set_weights(weights);
            product->set_activations(activations);
            product->compute();
        }
    }
    found.our_bytes = ours ? ours->weight_bytes() : 0;
    found.upstreams_bytes = upstreams.weight_bytes();
    found.upstreams_buffer = upstreams.buffer_name();
    int64_t spent = 0;
    for (int i = 0; i < asked.n_repeats || spent < at_least_ns; ++i) {
        if (cancel) {
            throw error(errc::cancelled, "measuring was cancelled");
        }
        if (ours) {
            found.ours_ns.push_back(ns_of(*ours));
            spent += found.ours_ns.back();
        }
        found.upstreams_ns.push_back(ns_of(upstreams));
        spent += found.upstreams_ns.back();
    }
    return found;
}

}  // namespace jan
