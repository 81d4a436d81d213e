// Upstream checks a model file's contents with assertions that abort the process. While a guard
// is alive, an assertion that fails on its own thread throws instead. Upstream's try block
// around loading and context creation then cleans up and reports it as any other failure; from a
// forward pass it reaches us, and the context has to go.
// Assertions on other threads, and outside a guard, still abort after printing why.
#pragma once

namespace jan {

class abort_guard {
  public:
    abort_guard();
    ~abort_guard();
    abort_guard(const abort_guard &) = delete;
    abort_guard & operator=(const abort_guard &) = delete;
};

}  // namespace jan
