#include "backend.h"
#include "check.h"
#include "error.h"
#include "model.h"
#include "thread_pool.h"

#include <filesystem>
#include <fstream>

namespace fs = std::filesystem;

namespace {

template <class Call> jan::errc code_of(const Call & call) {
    try {
        call();
    } catch (const jan::error & e) {
        return e.code;
    }
    return jan::errc{};
}

}  // namespace

// Runs without any backend on purpose: what must not happen before one is loaded.
int main() {
    CHECK(jan::devices().empty());
    CHECK(code_of([] { jan::load_backends("backends"); }) == jan::errc::invalid_argument);
    CHECK(code_of([] {
              jan::load_progress progress;
              jan::model::load({}, progress);
          }) == jan::errc::backend_failure);
    CHECK(code_of([] { jan::thread_pool pool(2, true); }) == jan::errc::backend_failure);

    const fs::path folder = fs::temp_directory_path() / "jan-test-backend";
    fs::remove_all(folder);
    fs::create_directories(folder);
    CHECK(code_of([&] { jan::load_backends(folder.string()); }) == jan::errc::backend_failure);

    std::ofstream(folder / "libggml-cpu.so") << "not a library";
    std::ofstream(folder / "libggml-cuda.so") << "not a library";
    CHECK(code_of([&] { jan::load_backends(folder.string()); }) == jan::errc::backend_failure);
    const auto files = jan::backend_files();
    CHECK(files.size() == 2);
    CHECK(files[0].name == "cuda" && files[0].status == jan::backend_status::failed);
    CHECK(files[1].name == "cpu" && files[1].status == jan::backend_status::failed);
    CHECK(!files[0].reason.empty() && !files[1].reason.empty());
    fs::remove_all(folder);
    CHECK_DONE();
}
