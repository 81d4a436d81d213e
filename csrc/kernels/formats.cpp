#include "formats.h"

#include "activations.h"
#include "panel.h"
#include "sixteen_bits.h"

namespace jan::kernels {

#ifdef JAN_MATRIX_KERNELS

namespace {

template <class Format> constexpr panel_function panels_of[] = {
    nullptr,
    Format::template multiply<1>,
    Format::template multiply<2>,
    Format::template multiply<3>,
    Format::template multiply<4>,
    Format::template multiply<5>,
    Format::template multiply<6>,
#    ifndef JAN_MATRIX_AVX2
    Format::template multiply<7>,
    Format::template multiply<8>,
    Format::template multiply<9>,
    Format::template multiply<10>,
    Format::template multiply<11>,
    Format::template multiply<12>,
#    endif
};

template <class Format, class Activations> struct from_floats {
    static void quantise(const float * from, void * to) { copy(from, *static_cast<Activations *>(to)); }
};

template <class Format> struct from_floats<Format, short_activations> {
    static void quantise(const float * from, void * to) {
        kernels::quantise(from, Format::quants::offset, *static_cast<short_activations *>(to));
    }
};

template <class Format> struct from_floats<Format, long_activations> {
    static void quantise(const float * from, void * to) {
        kernels::quantise(from, Format::quants::offset, Format::values_per_start,
                          *static_cast<long_activations *>(to));
    }
};

template <class Format> constexpr matrix_format describe(ggml_type type, pack_function pack) {
    static_assert(sizeof panels_of<Format> / sizeof(panel_function) == widest_panel + 1,
                  "one for every width");
    using activations = typename Format::activations;
    return {type,
            Format::block,
            sizeof(activations),
            from_floats<Format, activations>::quantise,
            Format::group_bytes,
            pack,
            panels_of<Format>,
            widest_panel};
}

constexpr matrix_format formats[] = {
    describe<format_q4_0>(GGML_TYPE_Q4_0, pack_q4_0), describe<format_q4_1>(GGML_TYPE_Q4_1, pack_q4_1),
    describe<format_q5_0>(GGML_TYPE_Q5_0, pack_q5_0), describe<format_q5_1>(GGML_TYPE_Q5_1, pack_q5_1),
    describe<format_q8_0>(GGML_TYPE_Q8_0, pack_q8_0), describe<format_iq4_nl>(GGML_TYPE_IQ4_NL, pack_iq4_nl),
    describe<format_q4_k>(GGML_TYPE_Q4_K, pack_q4_k), describe<format_q5_k>(GGML_TYPE_Q5_K, pack_q5_k),
    describe<format_q6_k>(GGML_TYPE_Q6_K, pack_q6_k), describe<format_iq4_xs>(GGML_TYPE_IQ4_XS, pack_iq4_xs),
    describe<format_f16>(GGML_TYPE_F16, pack_f16),    describe<format_bf16>(GGML_TYPE_BF16, pack_bf16),
};

}  // namespace

const matrix_format * format_of(ggml_type type) {
    for (const matrix_format & format : formats) {
        if (format.type == type) {
            return &format;
        }
    }
    return nullptr;
}

#else

const matrix_format * format_of(ggml_type) { return nullptr; }

#endif

}  // namespace jan::kernels
