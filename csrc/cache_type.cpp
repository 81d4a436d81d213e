#include "cache_type.h"

#include "error.h"

namespace jan {

ggml_type cache_type(const std::string & name) {
    for (const ggml_type type : {GGML_TYPE_F32, GGML_TYPE_F16, GGML_TYPE_BF16, GGML_TYPE_Q8_0, GGML_TYPE_Q5_1,
                                 GGML_TYPE_Q5_0, GGML_TYPE_Q4_1, GGML_TYPE_Q4_0, GGML_TYPE_IQ4_NL}) {
        if (name == ggml_type_name(type)) {
            return type;
        }
    }
    throw error(errc::invalid_argument, "cache_type: '" + name + "' is no type of a cache",
                "one of: f32 f16 bf16 q8_0 q5_1 q5_0 q4_1 q4_0 iq4_nl");
}

}  // namespace jan
