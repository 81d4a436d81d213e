#include "line_limits.h"

namespace jan {

size_t line_limits::take(std::string_view bytes) {
    for (size_t i = 0; i < bytes.size(); ++i) {
        const char c = bytes[i];
        if (in_indent_ && (c == ' ' || c == '\t')) {
            ++n_spaces_;
            continue;
        }
        if (in_indent_ && n_spaces_ < n_indent_) {
            return i;
        }
        in_indent_ = c == '\n';
        new_line_ = new_line_ || in_indent_;
        n_spaces_ = 0;
    }
    return bytes.size();
}

}  // namespace jan
