#include "thread_pool.h"

#include "abort_guard.h"
#include "error.h"
#include "kernels/matrix_switch.h"

#include "ggml-backend.h"

namespace jan {

namespace {

// The CPU backend is a library chosen at run time, so its functions are looked up by name.
template <class Function> Function cpu_function(const char * name) {
    const ggml_backend_dev_t dev = ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU);
    void * address =
        dev ? ggml_backend_reg_get_proc_address(ggml_backend_dev_backend_reg(dev), name) : nullptr;
    if (!address) {
        throw error(errc::backend_failure, std::string("the CPU backend has no function ") + name);
    }
    return reinterpret_cast<Function>(address);
}

}  // namespace

thread_pool::thread_pool(int n_threads, bool own_attention, int poll, int n_cut)
    : n_threads_(n_threads), handle_(nullptr) {
    const abort_guard guard;  // upstream asserts that each thread starts
    ggml_threadpool_params params = ggml_threadpool_params_default(n_threads);
    params.poll = static_cast<uint32_t>(poll);
    const auto create = cpu_function<decltype(&ggml_threadpool_new)>("ggml_threadpool_new");
    try {
        handle_ = create(&params);
    } catch (const error & e) {
        throw error(errc::backend_failure, e.message, "fewer threads may be allowed here; try n_threads=1");
    }
    if (!handle_) {
        throw error(errc::backend_failure, "could not start " + std::to_string(n_threads) + " threads");
    }
    jan_attention_of_pool(handle_, own_attention, n_cut > 0 ? n_cut : n_threads);
}

thread_pool::~thread_pool() {
    jan_forget_pool(handle_);
    cpu_function<decltype(&ggml_threadpool_free)>("ggml_threadpool_free")(handle_);
}

}  // namespace jan
