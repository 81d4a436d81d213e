#include "tensor_type.h"

#include "ggml.h"

namespace jan {

std::vector<tensor_type> tensor_types() {
    std::vector<tensor_type> types;
    for (int id = 0; id < GGML_TYPE_COUNT; ++id) {
        const auto type = static_cast<ggml_type>(id);
        if (ggml_blck_size(type) > 0 && ggml_type_size(type) > 0) {
            types.push_back({id, ggml_type_name(type), ggml_blck_size(type), ggml_type_size(type)});
        }
    }
    return types;
}

}  // namespace jan
