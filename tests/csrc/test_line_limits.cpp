// Where a generation ends for its lines' sake.
#include "check.h"

#include "line_limits.h"

#include <string>
#include <vector>

namespace {

using namespace jan;

request asking(int n_indent, int64_t t_max_predict_ms) {
    request r;
    r.n_indent = n_indent;
    r.t_max_predict_ms = t_max_predict_ms;
    return r;
}

std::string kept(int n_indent, const std::vector<std::string> & pieces) {
    line_limits limits(asking(n_indent, 0));
    std::string text;
    for (const std::string & piece : pieces) {
        const size_t n = limits.take(piece);
        text += piece.substr(0, n);
        if (n < piece.size()) {
            break;
        }
    }
    return text;
}

void test_a_line_indented_less_ends_the_text() {
    CHECK(kept(4, {"a = 1\n    b\n", "    c\n", "d\n"}) == "a = 1\n    b\n    c\n");
    CHECK(kept(4, {"a\n", "  ", "  b\n", "\t", " ", "c"}) == "a\n    b\n\t ");  // it may come in pieces
    CHECK(kept(4, {"a\n\n    b"}) == "a\n");  // an empty line is indented by nothing
    CHECK(kept(2, {"x", "\n  y\n   z"}) == "x\n  y\n   z");
    CHECK(kept(0, {"a\nb\n\nc"}) == "a\nb\n\nc");
}

void test_time_is_up_only_after_a_line() {
    line_limits limits(asking(0, 1500));
    CHECK(limits.take("no line yet") == 11);
    CHECK(!limits.over(9));
    CHECK(limits.take("\nand more") == 9);
    CHECK(!limits.over(1.4));
    CHECK(limits.over(1.6));
    line_limits endless(asking(0, 0));
    endless.take("\n");
    CHECK(!endless.over(1e9));
}

}  // namespace

int main() {
    test_a_line_indented_less_ends_the_text();
    test_time_is_up_only_after_a_line();
    CHECK_DONE();
}
