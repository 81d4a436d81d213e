#include "backend.h"

#include "error.h"
#include "log.h"

#include "ggml-backend.h"
#include "llama.h"

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <memory>
#include <mutex>

#ifdef _WIN32
#    include <windows.h>
#else
#    include <dlfcn.h>
#endif

namespace fs = std::filesystem;

namespace jan {

namespace {

#ifdef _WIN32
constexpr const char * file_prefix = "ggml-";
constexpr const char * file_suffix = ".dll";

struct library {
    explicit library(const fs::path & path) : handle(LoadLibraryW(path.wstring().c_str())) {}
    ~library() {
        if (handle) {
            FreeLibrary(handle);
        }
    }
    void * symbol(const char * name) const { return reinterpret_cast<void *>(GetProcAddress(handle, name)); }
    static std::string last_error() { return "error " + std::to_string(GetLastError()); }
    HMODULE handle;
};
#else
constexpr const char * file_prefix = "libggml-";
constexpr const char * file_suffix = ".so";  // on macOS too

struct library {
    explicit library(const fs::path & path) : handle(dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL)) {}
    ~library() {
        if (handle) {
            dlclose(handle);
        }
    }
    void * symbol(const char * name) const { return dlsym(handle, name); }
    static std::string last_error() {
        const char * text = dlerror();
        return text ? text : "unknown error";
    }
    void * handle;
};
#endif

struct backend_registry {
    std::mutex mutex;
    std::atomic<bool> ready{false};
    std::vector<backend_file> files;
};

backend_registry & registry() {
    static backend_registry & instance = *new backend_registry;  // outlives every thread
    return instance;
}

bool starts_with(const std::string & text, const std::string & prefix) {
    return text.compare(0, prefix.size(), prefix) == 0;
}

bool is_cpu(const backend_file & file) { return file.name == "cpu" || starts_with(file.name, "cpu-"); }

// A GPU backend links its vendor's driver library, which only machines with such a device have.
bool names_a_driver(const std::string & message) {
    for (const char * driver : {"libcuda.so", "libvulkan.so", "libamdhip64.so", "libhsa-runtime64.so"}) {
        if (message.find(driver) != std::string::npos) {
            return true;
        }
    }
    return false;
}

std::vector<backend_file> find_files(const std::string & folder) {
    std::vector<backend_file> found;
    std::error_code ec;
    for (const auto & entry : fs::directory_iterator(folder, ec)) {
        const std::string name = entry.path().filename().string();
        const std::string stem = entry.path().stem().string();
        if (starts_with(name, file_prefix) && entry.path().extension() == file_suffix) {
            found.push_back({entry.path().string(),
                             stem.substr(std::string(file_prefix).size()),
                             -1,
                             backend_status::failed,
                             {}});
        }
    }
    // GPU backends first: upstream gives the first registered device the first choice.
    std::sort(found.begin(), found.end(), [](const backend_file & a, const backend_file & b) {
        return is_cpu(a) != is_cpu(b) ? is_cpu(b) : a.path < b.path;
    });
    return found;
}

// Asks a CPU variant how well it fits; leaves score -1 and a reason when it cannot be opened.
void rate(backend_file & file) {
    const library opened(file.path);
    if (!opened.handle) {
        file.reason = library::last_error();
        return;
    }
    const auto score = reinterpret_cast<int (*)()>(opened.symbol("ggml_backend_score"));
    file.score = score ? score() : 1;
    if (file.score == 0) {
        file.status = backend_status::unsupported;
        file.reason = "built for instructions this processor does not have";
    }
}

void load(backend_file & file) {
    const log_capture log;
    const ggml_backend_reg_t reg = ggml_backend_load(file.path.c_str());
    if (!reg) {
        file.reason = log.reason("upstream gave no reason");
        if (names_a_driver(file.reason)) {
            file.status = backend_status::no_device;
        }
    } else if (ggml_backend_reg_dev_count(reg) == 0) {
        file.status = backend_status::no_device;
        file.reason = log.reason("the driver reports no device");
    } else {
        file.status = backend_status::loaded;
        file.reason.clear();
    }
}

void rate_all(std::vector<backend_file *> & variants) {
    for (backend_file * variant : variants) {
        if (variant->status != backend_status::crashed) {
            rate(*variant);
        }
    }
    std::stable_sort(variants.begin(), variants.end(),
                     [](const backend_file * a, const backend_file * b) { return a->score > b->score; });
}

// Loads the best-rated CPU variant that opens, going down the list when one does not.
void load_best_cpu(std::vector<backend_file *> variants) {
    rate_all(variants);
    const backend_file * winner = nullptr;
    for (backend_file * variant : variants) {
        if (variant->score <= 0 || variant->status == backend_status::crashed) {
            continue;
        }
        if (winner) {
            variant->status = backend_status::outscored;
            variant->reason = winner->name + " uses more of this processor";
            continue;
        }
        load(*variant);
        if (variant->status == backend_status::loaded) {
            winner = variant;
        }
    }
    if (!winner) {
        throw error(errc::backend_failure,
                    variants.empty() ? "the package contains no CPU backend"
                                     : "no CPU backend could be loaded: " + variants.front()->reason,
                    "reinstall jan-engine, or build it on this machine");
    }
}

// Leaves those to be opened without a status of their own.
void mark_crashed(std::vector<backend_file> & files, const backend_choice & choice) {
    for (backend_file & file : files) {
        for (const auto & [name, how] : choice.crashed) {
            if (file.name == name) {
                file.status = backend_status::crashed;
                file.reason = how;
            }
        }
    }
}

device_kind kind_of(ggml_backend_dev_t dev) {
    switch (ggml_backend_dev_type(dev)) {
        case GGML_BACKEND_DEVICE_TYPE_CPU: return device_kind::cpu;
        case GGML_BACKEND_DEVICE_TYPE_GPU: return device_kind::gpu;
        case GGML_BACKEND_DEVICE_TYPE_IGPU: return device_kind::integrated_gpu;
        default: return device_kind::accelerator;
    }
}

}  // namespace

namespace {

void require_absolute(const std::string & folder) {
    if (!fs::path(folder).is_absolute()) {
        throw error(errc::invalid_argument, "the backend folder must be an absolute path: " + folder);
    }
}

}  // namespace

std::vector<std::string> rate_cpu_variants(const std::string & folder) {
    require_absolute(folder);
    std::vector<backend_file> files = find_files(folder);
    std::vector<backend_file *> variants;
    for (backend_file & file : files) {
        if (is_cpu(file)) {
            variants.push_back(&file);
        }
    }
    rate_all(variants);
    std::vector<std::string> names;
    for (const backend_file * variant : variants) {
        if (variant->score > 0) {
            names.push_back(variant->name);
        }
    }
    return names;
}

void load_backends(const std::string & folder, const backend_choice & choice) {
    require_absolute(folder);
    backend_registry & r = registry();
    std::lock_guard<std::mutex> lock(r.mutex);
    if (r.ready) {
        return;
    }
    install_log();
    r.files = find_files(folder);
    if (!choice.only.empty()) {
        r.files.erase(std::remove_if(r.files.begin(), r.files.end(),
                                     [&](const backend_file & file) { return file.name != choice.only; }),
                      r.files.end());
    }
    mark_crashed(r.files, choice);
    std::vector<backend_file *> cpu;
    for (backend_file & file : r.files) {
        if (is_cpu(file)) {
            cpu.push_back(&file);
        } else {
            load(file);
        }
    }
    load_best_cpu(std::move(cpu));
    llama_backend_init();
    r.ready = true;
}

void require_backends() {
    if (!registry().ready) {
        throw error(errc::backend_failure, "no backend is loaded yet", "call jan_engine.backends() first");
    }
}

std::vector<backend_file> backend_files() {
    backend_registry & r = registry();
    std::lock_guard<std::mutex> lock(r.mutex);
    return r.files;
}

std::vector<device> devices() {
    if (!registry().ready) {
        return {};
    }
    std::vector<device> found;
    for (size_t i = 0; i < ggml_backend_dev_count(); ++i) {
        const ggml_backend_dev_t dev = ggml_backend_dev_get(i);
        size_t free = 0;
        size_t total = 0;
        ggml_backend_dev_memory(dev, &free, &total);
        found.push_back({ggml_backend_dev_name(dev), ggml_backend_dev_description(dev),
                         ggml_backend_reg_name(ggml_backend_dev_backend_reg(dev)), kind_of(dev), free,
                         total});
    }
    return found;
}

}  // namespace jan
