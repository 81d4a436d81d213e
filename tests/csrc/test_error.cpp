#include "check.h"
#include "error.h"

#include <new>
#include <stdexcept>

namespace {

template <class Exception> jan::error seen(const Exception & thrown) {
    try {
        throw thrown;
    } catch (...) {
        return jan::current_error();
    }
}

}  // namespace

int main() {
    const jan::error ours =
        seen(jan::error(jan::errc::context_overflow, "too long", "shorten it").with("n_ctx", 8));
    CHECK(ours.code == jan::errc::context_overflow);
    CHECK(ours.message == "too long");
    CHECK(ours.hint == "shorten it");
    CHECK(ours.facts.size() == 1 && ours.facts[0].first == "n_ctx" && ours.facts[0].second == 8);

    CHECK(seen(std::bad_alloc()).code == jan::errc::out_of_memory);
    CHECK(seen(std::runtime_error("boom")).code == jan::errc::internal);
    CHECK(seen(std::runtime_error("boom")).message == "boom");
    CHECK(seen(42).code == jan::errc::internal);
    CHECK_DONE();
}
