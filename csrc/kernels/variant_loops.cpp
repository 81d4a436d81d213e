#include "variant_loops.h"

#include "panel.h"

namespace jan::kernels {

namespace {

#ifdef JAN_MATRIX_KERNELS

// One instruction's worth of products onto sums that depend on nothing but themselves.
#    if defined(JAN_DOT_OF_TWO)
constexpr const char * instruction = "smmla, 128 bits";
constexpr int products_per_byte = 2;
inline ints multiplied(ints sum, ints weights, ints activations) {
    return vmmlaq_s32(sum, as_bytes(weights), as_bytes(activations));
}
#    elif defined(JAN_MATRIX_NEON)
constexpr const char * instruction = "sdot, 128 bits";
constexpr int products_per_byte = 1;
inline ints multiplied(ints sum, ints weights, ints activations) {
    return vdotq_s32(sum, as_bytes(weights), as_bytes(activations));
}
#    elif defined(JAN_MATRIX_AVX512) || defined(__AVXVNNI__)
constexpr const char * instruction = sizeof(ints) == 64 ? "vpdpbusd, 512 bits" : "vpdpbusd, 256 bits";
constexpr int products_per_byte = 1;
inline ints multiplied(ints sum, ints weights, ints activations) {
    return add_products(sum, weights, activations);
}
#    else
constexpr const char * instruction = "vpmaddubsw and vpaddw, 256 bits";
constexpr int products_per_byte = 1;
// The sum in the weights' place, or the compiler would multiply but once.
inline ints multiplied(ints sum, ints, ints activations) {
    return _mm256_add_epi16(sum, _mm256_maddubs_epi16(sum, activations));
}
#    endif

// The compiler is to take `v` for a value that it knows nothing of.
inline void hide(ints & v) {
#    ifdef JAN_MATRIX_NEON
    __asm__ volatile("" : "+w"(v));
#    else
    __asm__ volatile("" : "+x"(v));
#    endif
}

constexpr int n_sums =
    12;  // more than are under way at a time, and with their operands no more than registers
constexpr int64_t operations_per_round = 2 * n_sums * int64_t{sizeof(ints)} * products_per_byte;

void multiply(int64_t n_rounds) {
    ints sums[n_sums];
#    pragma GCC unroll 12
    for (ints & sum : sums) {
        sum = no_ints();
        hide(sum);  // or all would be one
    }
    const ints weights = every_byte(2), activations = every_byte(3);
    for (int64_t i = 0; i < n_rounds; ++i) {
#    pragma GCC unroll 12
        for (ints & sum : sums) {
            sum = multiplied(sum, weights, activations);
        }
    }
#    pragma GCC unroll 12
    for (ints & sum : sums) {
        hide(sum);
    }
}

template <bool ask_ahead> uint64_t read_all(const uint8_t * from, size_t n_bytes) {
    constexpr size_t at_once = 512;
    ints sums[8] = {no_ints(), no_ints(), no_ints(), no_ints(), no_ints(), no_ints(), no_ints(), no_ints()};
    for (size_t at = 0; at < n_bytes; at += at_once) {
        if (ask_ahead) {
            prefetch<at_once>(from + at);
        }
#    pragma GCC unroll 16
        for (size_t i = 0; i < at_once / sizeof(ints); ++i) {
            sums[i % 8] = differing(sums[i % 8], load(from + at + i * sizeof(ints)));
        }
    }
    ints all = no_ints();
    for (const ints sum : sums) {
        all = differing(all, sum);
    }
    return static_cast<uint64_t>(total(all));
}

uint64_t read(const void * from, size_t n_bytes, bool ask_ahead) {
    const auto * bytes = static_cast<const uint8_t *>(from);
    return ask_ahead ? read_all<true>(bytes, n_bytes) : read_all<false>(bytes, n_bytes);
}

constexpr jan_machine_loops loops = {multiply, operations_per_round, instruction, read};

#else

uint64_t read(const void * from, size_t n_bytes, bool) {
    const auto * words = static_cast<const uint64_t *>(from);
    uint64_t sums[16] = {};
    for (size_t at = 0; at < n_bytes / sizeof(uint64_t); at += 16) {
        for (size_t i = 0; i < 16; ++i) {
            sums[i] ^= words[at + i];
        }
    }
    uint64_t all = 0;
    for (const uint64_t sum : sums) {
        all ^= sum;
    }
    return all;
}

constexpr jan_machine_loops loops = {nullptr, 0, "", read};

#endif

}  // namespace

const jan_machine_loops & loops_of_variant() { return loops; }

}  // namespace jan::kernels
