// Upstream checks a model file's contents with assertions that abort the process. While a guard
// is alive, an assertion that fails on its own thread throws instead. Upstream's try block
// around loading and context creation then cleans up and reports it as any other failure; from a
// forward pass it reaches us, and the context has to go.
// Assertions on other threads, and outside a guard, still abort after printing why.
#pragma once

#include "error.h"

namespace jan {

class abort_guard {
  public:
    // `blame` is the code of what is thrown: a check fails for the file's sake, but for what runs
    // long after the file has proven itself.
    explicit abort_guard(errc blame = errc::bad_model_file);
    ~abort_guard();
    abort_guard(const abort_guard &) = delete;
    abort_guard & operator=(const abort_guard &) = delete;

  private:
    const errc outer_;
};

}  // namespace jan
