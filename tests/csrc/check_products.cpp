// Products of a shape that the caller chooses, with 1 to 65 columns, against double precision.
//
//   check_products FOLDER_OF_BACKENDS
//
// reads cases, a line each, and answers each with a line: 65 pairs of relative errors, ours and
// upstream's; with experts the columns are tokens.
//
//   TYPE WIDTH ROWS EXPERTS USED INPUT_PER_USE BITS SEED THREADS
//
// BITS: 0 for weights as upstream quantises normal numbers, 1 for any bits with sound scales.
#include "product_error.h"

#include <iostream>
#include <string>

namespace matrix = jan::matrix;

namespace {

constexpr int64_t most_columns = 65;

struct asked_for {
    matrix::shape shape;
    bool any_bits;
    uint32_t seed;
    int n_threads;
};

ggml_type type_named(const std::string & name) {
    for (const ggml_type type : matrix::types) {
        if (name == ggml_type_name(type)) {
            return type;
        }
    }
    return GGML_TYPE_COUNT;
}

std::istream & operator>>(std::istream & in, asked_for & asked) {
    std::string name;
    matrix::shape & s = asked.shape;
    in >> name >> s.k >> s.n_rows >> s.n_experts >> s.n_used >> s.input_per_use >> asked.any_bits >>
        asked.seed >> asked.n_threads;
    s.type = type_named(name);
    s.n_columns = most_columns;
    if (in && s.type == GGML_TYPE_COUNT) {
        in.setstate(std::ios::failbit);
    }
    return in;
}

// Where a block has numbers of half precision, of which any bits would be infinite some day.
std::vector<size_t> halves_of(ggml_type type) {
    switch (type) {
        case GGML_TYPE_Q6_K: return {208};
        case GGML_TYPE_Q4_K:
        case GGML_TYPE_Q5_K:
        case GGML_TYPE_Q4_1:
        case GGML_TYPE_Q5_1: return {0, 2};
        default: return {0};
    }
}

std::vector<uint8_t> weights_of_any_bits(const asked_for & asked) {
    const matrix::shape & s = asked.shape;
    std::mt19937 random(asked.seed);
    std::uniform_real_distribution<float> scale(-1, 1);
    const size_t n =
        ggml_row_size(s.type, s.k) * static_cast<size_t>(s.n_rows * std::max<int64_t>(1, s.n_experts));
    std::vector<uint8_t> blocks(n);
    for (uint8_t & byte : blocks) {
        byte = static_cast<uint8_t>(random());
    }
    for (size_t block = 0; block < n; block += ggml_type_size(s.type)) {
        for (const size_t at : halves_of(s.type)) {
            const ggml_fp16_t half = ggml_fp32_to_fp16(scale(random));
            memcpy(&blocks[block + at], &half, sizeof half);
        }
    }
    return blocks;
}

// Normal numbers, larger and smaller by stretches, and now and then a stretch of nothing.
std::vector<float> activations_of(const asked_for & asked) {
    const matrix::shape & s = asked.shape;
    const int64_t n_inputs = most_columns * (s.input_per_use ? s.n_used : 1);
    auto numbers = matrix::normal_numbers(static_cast<size_t>(s.k * n_inputs), asked.seed + 1);
    std::mt19937 random(asked.seed + 2);
    for (size_t first = 0; first < numbers.size(); first += 32) {
        const float size = random() % 16 ? std::ldexp(1.0f, static_cast<int>(random() % 8) - 4) : 0.0f;
        for (size_t i = first; i < first + 32; ++i) {
            numbers[i] *= size;
        }
    }
    return numbers;
}

std::vector<int32_t> ids_of(const asked_for & asked) {
    const matrix::shape & s = asked.shape;
    std::mt19937 random(asked.seed + 3);
    std::vector<int32_t> ids, experts;
    for (int64_t e = 0; e < s.n_experts; ++e) {
        experts.push_back(static_cast<int32_t>(e));
    }
    for (int64_t token = 0; s.n_experts && token < most_columns; ++token) {
        std::shuffle(experts.begin(), experts.end(), random);
        ids.insert(ids.end(), experts.begin(), experts.begin() + s.n_used);
    }
    return ids;
}

void answer(const asked_for & asked) {
    matrix::shape s = asked.shape;
    const int64_t n_rows = s.n_rows * std::max<int64_t>(1, s.n_experts);
    const auto blocks = asked.any_bits ? weights_of_any_bits(asked)
                                       : matrix::quantised_weights(s.type, s.k, n_rows, asked.seed);
    auto activations = activations_of(asked);
    auto ids = ids_of(asked);
    const auto exact =
        matrix::exact_products(s, matrix::pairings(s, ids), matrix::to_doubles(s.type, blocks, s.k * n_rows),
                               matrix::through_bytes(s.type, activations));
    const size_t per_column = activations.size() / most_columns;
    for (s.n_columns = most_columns; s.n_columns > 0; --s.n_columns) {  // the first of them, fewer each time
        const size_t n = static_cast<size_t>(s.n_columns);
        activations.resize(per_column * n);
        ids.resize(static_cast<size_t>(s.n_used) * n);
        for (const bool with_ours : {true, false}) {
            const auto found = matrix::computed(s, with_ours, asked.n_threads, blocks, activations, ids);
            std::cout << matrix::relative_error(exact, found) << ' ';
        }
    }
    std::cout << std::endl;
}

}  // namespace

int main(int argc, char ** argv) {
    if (argc != 2) {
        std::cerr << "usage: " << argv[0] << " FOLDER_OF_BACKENDS\n";
        return 2;
    }
    matrix::open_backends(argv[1]);
    if (!matrix::ours()) {
        std::cerr << "this processor's variant has no matrix kernels of ours\n";
        return 77;
    }
    std::cout << "ready" << std::endl;
    for (asked_for asked; std::cin >> asked;) {
        answer(asked);
    }
    return std::cin.eof() ? 0 : 2;
}
