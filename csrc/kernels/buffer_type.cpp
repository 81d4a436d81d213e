#include "buffer_type.h"

#include "attention.h"
#include "matrix_switch.h"
#include "multiply.h"
#include "variant_loops.h"

#include "ggml-backend-impl.h"
#include "ggml-cpu.h"
#include "repack.h"
#include "traits.h"

#ifdef __linux__
#    include <sys/mman.h>
#    include <unistd.h>
#endif

#include <algorithm>
#include <atomic>
#include <system_error>
#include <thread>

namespace jan::kernels {

namespace {

// What ggml calls for an operation whose weights are ours.
class matrix_traits : public ggml::cpu::tensor_traits {
  public:
    bool work_size(int n_threads, const ggml_tensor * op, size_t & size) override {
        const matrix_format * format = format_of(op->src[0]->type);
        size = work_bytes(*format, op, n_threads);
        return true;
    }

    bool compute_forward(ggml_compute_params * params, ggml_tensor * op) override {
        const matrix_format * format = format_of(op->src[0]->type);
        if (op->op == GGML_OP_MUL_MAT) {
            multiply(*format, params, op);
        } else {
            multiply_experts(*format, params, op);
        }
        return true;
    }
};

matrix_traits & traits() {
    static matrix_traits instance;
    return instance;
}

bool is_ours(const ggml_tensor * tensor) {
    return tensor->buffer && tensor->buffer->buft == matrix_buffer_type();
}

class matrix_buffers : public ggml::cpu::extra_buffer_type {
  public:
    // Asked of every operation in a graph, and at load, with a buffer that holds nothing, of an
    // example of what a tensor is for: there a refusal sends it to the next buffer type.
    bool supports_op(ggml_backend_dev_t, const ggml_tensor * op) override {
        const ggml_tensor * weights = op->src[0];
        const int n_dims = op->op == GGML_OP_MUL_MAT ? 2 : op->op == GGML_OP_MUL_MAT_ID ? 3 : 0;
        if (!weights || ggml_n_dims(weights) != n_dims || !is_ours(weights)) {
            return false;
        }
        const matrix_format * format = format_of(weights->type);
        if (!format || weights->ne[0] % format->block != 0) {
            return false;
        }
        if (weights->buffer->size == 0 && !jan_matrix_kernels_allowed()) {
            return false;
        }
        const ggml_tensor * activations = op->src[1];
        return activations->type == GGML_TYPE_F32 &&
               (!activations->buffer || ggml_backend_buft_is_host(activations->buffer->buft));
    }

    ggml::cpu::tensor_traits * get_tensor_traits(const ggml_tensor * op) override {
        if (ggml::cpu::tensor_traits * attention = attention_of(op)) {
            return attention;
        }
        const bool multiplies = op->op == GGML_OP_MUL_MAT || op->op == GGML_OP_MUL_MAT_ID;
        return multiplies && is_ours(op->src[0]) ? &traits() : nullptr;
    }
};

size_t packed_bytes(const ggml_tensor * tensor) {
    const matrix_format * format = format_of(tensor->type);
    if (!format || tensor->ne[0] % format->block != 0) {
        return ggml_nbytes(tensor);
    }
    return tensor->ne[2] * tensor->ne[3] * matrix_bytes(*format, tensor->ne[0], tensor->ne[1]);
}

// Groups of rows side by side, on as many threads as there are processors: nobody computes yet.
void pack_all(const matrix_format & format, const ggml_tensor * tensor, const uint8_t * from) {
    const int64_t n_blocks = tensor->ne[0] / format.block;
    const int64_t n_groups = (tensor->ne[1] + group_rows - 1) / group_rows;
    const int64_t n_matrices = tensor->ne[2] * tensor->ne[3];
    const size_t row_bytes = ggml_row_size(tensor->type, tensor->ne[0]);
    const size_t group_bytes = format.group_bytes(n_blocks);
    auto * to = static_cast<uint8_t *>(tensor->data);

    std::atomic<int64_t> next{0};
    const auto pack_some = [&] {
        constexpr int64_t at_once = 8;
        const int64_t n = n_groups * n_matrices;
        for (int64_t first = next.fetch_add(at_once); first < n; first = next.fetch_add(at_once)) {
            for (int64_t g = first; g < std::min(first + at_once, n); ++g) {
                const uint8_t * rows[group_rows];
                for (int r = 0; r < group_rows; ++r) {
                    const int64_t row = g % n_groups * group_rows + r;
                    rows[r] = row < tensor->ne[1] ? from + (g / n_groups * tensor->ne[1] + row) * row_bytes
                                                  : nullptr;
                }
                format.pack(rows, n_blocks, to + g * group_bytes);
            }
        }
    };
    constexpr size_t worth_a_thread = 1 << 20;
    const size_t most = std::max<size_t>(1, std::thread::hardware_concurrency());
    const size_t n_threads = std::min(most, ggml_nbytes(tensor) / worth_a_thread + 1);
    std::vector<std::thread> others;
    others.reserve(n_threads);
    try {
        while (others.size() + 1 < n_threads) {
            others.emplace_back(pack_some);
        }
    } catch (const std::system_error &) {  // no more threads to be had: those there are do it
    }
    pack_some();
    for (std::thread & other : others) {
        other.join();
    }
}

void set_tensor(ggml_backend_buffer_t, ggml_tensor * tensor, const void * data, size_t offset, size_t size) {
    GGML_ASSERT(offset == 0 && size == ggml_nbytes(tensor) && "packed tensors are written whole");
    const matrix_format * format = format_of(tensor->type);
    GGML_ASSERT(format && tensor->ne[0] % format->block == 0);
    pack_all(*format, tensor, static_cast<const uint8_t *>(data));
}

ggml_status init_tensor(ggml_backend_buffer_t, ggml_tensor * tensor) {
    tensor->extra = &traits();
    return GGML_STATUS_SUCCESS;
}

const char * name(ggml_backend_buffer_type_t) { return "CPU_JAN"; }

// In pages as large as there are, before the first byte is written: with one column weights are read from
// memory as fast as it goes, and small pages interrupt that every 4 KiB. A system may refuse; nothing else
// changes.
void ask_for_large_pages([[maybe_unused]] void * base, [[maybe_unused]] size_t size) {
#ifdef MADV_HUGEPAGE
    const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
    const uintptr_t first = (reinterpret_cast<uintptr_t>(base) + page - 1) / page * page;
    const uintptr_t last = (reinterpret_cast<uintptr_t>(base) + size) / page * page;
    if (last > first) {
        madvise(reinterpret_cast<void *>(first), last - first, MADV_HUGEPAGE);
    }
#endif
}

ggml_backend_buffer_t alloc_buffer(ggml_backend_buffer_type_t type, size_t size) {
    ggml_backend_buffer_t buffer = ggml_backend_buft_alloc_buffer(ggml_backend_cpu_buffer_type(), size);
    if (!buffer) {
        return nullptr;
    }
    ask_for_large_pages(ggml_backend_buffer_get_base(buffer), size);
    buffer->buft = type;
    buffer->iface.init_tensor = init_tensor;
    buffer->iface.set_tensor = set_tensor;
    buffer->iface.get_tensor = nullptr;
    buffer->iface.cpy_tensor = nullptr;
    return buffer;
}

size_t alignment(ggml_backend_buffer_type_t) { return 64; }

size_t alloc_size(ggml_backend_buffer_type_t, const ggml_tensor * tensor) { return packed_bytes(tensor); }

}  // namespace

ggml_backend_buffer_type_t matrix_buffer_type() {
    static ggml_backend_buffer_type type = [] {
        ggml_backend_buffer_type made{};
        made.iface.get_name = name;
        made.iface.alloc_buffer = alloc_buffer;
        made.iface.get_alignment = alignment;
        made.iface.get_alloc_size = alloc_size;
        made.device = ggml_backend_reg_dev_get(ggml_backend_cpu_reg(), 0);
        jan_own_attention_built(attention_numbers());
        made.context = static_cast<ggml::cpu::extra_buffer_type *>(new matrix_buffers);
        return made;
    }();
    return format_of(GGML_TYPE_Q8_0) ? &type : nullptr;
}

ggml_backend_buffer_type_t before_others(std::vector<ggml_backend_buffer_type_t> & list) {
    jan_machine_loops_offer(&loops_of_variant());  // only the variant that is used comes here
    const ggml_backend_buffer_type_t ours = matrix_buffer_type();
    if (ours && std::find(list.begin(), list.end(), ours) == list.end()) {
        list.insert(list.begin(), ours);
    }
    return ggml_backend_cpu_repack_buffer_type();
}

}  // namespace jan::kernels
