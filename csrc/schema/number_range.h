// Numbers between bounds, and multiples of one, as machines over their digits.
#pragma once

#include "schema/char_machine.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace jan {

// A number as JSON writes it, exactly: sign, digits before the point and behind it, none to spare.
struct decimal {
    bool negative = false;
    std::string whole = "0";
    std::string fraction;  // its last digit is no zero

    bool is_zero() const { return whole == "0" && fraction.empty(); }
    bool is_integer() const { return fraction.empty(); }
};

// std::nullopt for what is no number, or has more than 40 digits before or behind the point.
std::optional<decimal> read_decimal(std::string_view text);
int compare(const decimal & a, const decimal & b);  // < 0, 0, > 0

struct number_bound {
    decimal at;
    bool exclusive = false;
};

struct number_range {
    std::optional<number_bound> least;
    std::optional<number_bound> most;
    std::vector<decimal> multiples_of;  // of each of them; above zero
    bool integers = false;

    bool any() const { return !least && !most && multiples_of.empty(); }
    bool holds(const decimal & value) const;
};

// Such numbers without an exponent and without -0, of up to 16 digits behind the point, and before it
// as many as the bounds need. std::nullopt when it takes too many states.
std::optional<char_machine> number_machine(const number_range & range);

}  // namespace jan
