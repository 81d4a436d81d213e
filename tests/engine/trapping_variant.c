/* A CPU variant that opens well and traps in its first pass, made of a real one. */
#include "ggml-backend-impl.h"

#include <dlfcn.h>

static ggml_backend_t (*real_init)(ggml_backend_dev_t, const char *);

static enum ggml_status trap(ggml_backend_t backend, struct ggml_cgraph * graph) {
    (void) backend;
    (void) graph;
    __builtin_trap(); /* ud2: SIGILL, as of an instruction that the processor does not have */
}

static ggml_backend_t init(ggml_backend_dev_t device, const char * options) {
    ggml_backend_t backend = real_init(device, options);
    backend->iface.graph_compute = trap;
    return backend;
}

int ggml_backend_score(void);
int ggml_backend_score(void) { return 1 << 30; }

ggml_backend_reg_t ggml_backend_init(void);
ggml_backend_reg_t ggml_backend_init(void) {
    void * library = dlopen(REAL_VARIANT, RTLD_NOW | RTLD_LOCAL);
    ggml_backend_reg_t (*begin)(void) = (ggml_backend_reg_t (*)(void)) dlsym(library, "ggml_backend_init");
    ggml_backend_reg_t reg = begin();
    ggml_backend_dev_t device = reg->iface.get_device(reg, 0);
    if (device->iface.init_backend != init) {
        real_init = device->iface.init_backend;
        device->iface.init_backend = init;
    }
    return reg;
}
