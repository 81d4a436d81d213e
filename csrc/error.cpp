#include "error.h"

#include <new>

namespace jan {

error current_error() noexcept {
    try {
        throw;
    } catch (const error & e) {
        return e;
    } catch (const std::bad_alloc &) {
        return error(errc::out_of_memory, "the engine could not allocate memory");
    } catch (const std::exception & e) {
        return error(errc::internal, e.what());
    } catch (...) {
        return error(errc::internal, "an unknown exception left the engine");
    }
}

}  // namespace jan
