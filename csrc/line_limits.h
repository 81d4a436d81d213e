// Ends of a generation that depend on its lines, for completing code: indented less than the place
// that is filled in, or long enough in time once a line is whole.
#pragma once

#include "request.h"

#include <cstddef>
#include <string_view>

namespace jan {

// For one thread. The first line is the rest of one that the prompt began: it has no indentation.
class line_limits {
  public:
    explicit line_limits(const request & ask)
        : n_indent_(ask.n_indent), most_s_(static_cast<double>(ask.t_max_predict_ms) / 1e3) {}

    // How many of the next bytes belong to the text; fewer than all when it ends before a character
    // of a line that is indented too little.
    size_t take(std::string_view bytes);

    // Whether the time is up, so many seconds after the first token.
    bool over(double seconds) const { return most_s_ > 0 && new_line_ && seconds > most_s_; }

  private:
    int n_indent_;
    double most_s_;
    bool new_line_ = false;   // there was one
    bool in_indent_ = false;  // of the present line nothing but spaces and tabs has come
    int n_spaces_ = 0;
};

}  // namespace jan
