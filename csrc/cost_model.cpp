#include "cost_model.h"

#include <algorithm>
#include <cstddef>

namespace jan {

namespace {

constexpr double forget = 0.1;  // weight of a new observation once a size is known
constexpr double quick = 0.3;   // and in the strain

}  // namespace

void cost_model::observe(int n_rows, double seconds) {
    if (n_rows <= 0 || seconds <= 0) {
        return;
    }
    if (const double expected = this->seconds(n_rows); expected > 0) {
        strain_ += quick * (std::clamp(seconds / expected, 0.5, 4.0) - strain_);
    }
    // Credited to the nearest size, scaled there in proportion.
    size_t nearest = 0;
    for (size_t i = 1; i < sizes.size(); ++i) {
        if (std::abs(sizes[i] - n_rows) < std::abs(sizes[nearest] - n_rows)) {
            nearest = i;
        }
    }
    const double scaled = seconds * sizes[nearest] / n_rows;
    // A first pass also pays for faulting pages in; a later one that is faster tells the truth.
    if (n_seen_[nearest] == 0 || (n_seen_[nearest] < 4 && scaled < known_[nearest])) {
        known_[nearest] = scaled;
    } else {
        // One pass during which another process had the core says little about the next.
        const double bounded = std::min(scaled, 2 * known_[nearest]);
        known_[nearest] += forget * (bounded - known_[nearest]);
    }
    ++n_seen_[nearest];
}

double cost_model::seconds(int n_rows) const {
    int below = -1;
    int above = -1;
    double floor = 0;  // a larger pass is never faster than a smaller one
    for (int i = 0; i < static_cast<int>(sizes.size()); ++i) {
        const auto at = static_cast<size_t>(i);
        if (known_[at] <= 0) {
            continue;
        }
        if (sizes[at] <= n_rows) {
            below = i;
            floor = std::max(floor, known_[at]);
        } else if (above < 0) {
            above = i;
        }
    }
    if (below < 0 && above < 0) {
        return 0;
    }
    const auto low = static_cast<size_t>(below);
    const auto high = static_cast<size_t>(above);
    if (below < 0) {  // not less than its share, not more than the whole
        return known_[high] * (0.5 + 0.5 * n_rows / sizes[high]);
    }
    if (above < 0) {
        return floor * n_rows / sizes[low];
    }
    const double share = static_cast<double>(n_rows - sizes[low]) / (sizes[high] - sizes[low]);
    return floor + share * std::max(0.0, known_[high] - floor);
}

int cost_model::rows_within(double limit_s, int least, int most) const {
    int found = std::min(least, most);
    for (const int size : sizes) {
        if (size > most) {
            break;
        }
        if (size > found && seconds(size) <= limit_s) {
            found = size;
        }
    }
    if (seconds(most) <= limit_s) {
        found = std::max(found, most);
    }
    return found;
}

}  // namespace jan
