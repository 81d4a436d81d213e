#include "cost_model.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace jan {

namespace {

constexpr double forget = 0.1;  // weight of a new observation once a size is known
constexpr double quick = 0.3;   // and in the strain
constexpr double keep = 0.98;   // of what is known about reading, with every observation
// A pass that reads less than those seen is never taken to cost less than this share of them: a
// slope learned from noise stays bounded.
constexpr double least_share = 0.5;
constexpr double enough_spread = 256;  // cells a row reads: passes closer than that tell only noise

size_t nearest_size(int n_rows) {
    size_t nearest = 0;
    for (size_t i = 1; i < cost_model::sizes.size(); ++i) {
        if (std::abs(cost_model::sizes[i] - n_rows) < std::abs(cost_model::sizes[nearest] - n_rows)) {
            nearest = i;
        }
    }
    return nearest;
}

// A pass of n rows that continue one lane of `depth` cells.
pass_size continuing(int n, int depth) { return {n, static_cast<double>(n) * (depth + n)}; }

}  // namespace

void cost_model::observe(pass_size size, double seconds) {
    if (size.n_rows <= 0 || seconds <= 0) {
        return;
    }
    const double expected = this->seconds(size);
    if (expected > 0) {
        strain_ += quick * (std::clamp(seconds / expected, 0.5, 4.0) - strain_);
    }
    // Credited to the nearest size, scaled there in proportion.
    const size_t nearest = nearest_size(size.n_rows);
    const double scale = static_cast<double>(sizes[nearest]) / size.n_rows;
    const double n_read = size.n_read * scale;
    seen & of = seen_[nearest];
    // One pass during which another process had the core says little about the next.
    const double taken = scale * (of.n > 0 ? std::min(seconds, 2 * expected) : seconds);
    ++of.n;
    // A first pass also pays for faulting pages in; a later one that is faster tells the truth.
    if (of.n == 1 || (of.n <= 4 && seconds < expected)) {
        of.n_read = n_read;
        of.seconds = taken;
        return;
    }
    const double more_read = n_read - of.n_read;
    of.n_read += forget * more_read;
    of.seconds += forget * (taken - of.seconds);
    of.variance = keep * of.variance + more_read * (n_read - of.n_read);
    of.covariance = keep * of.covariance + more_read * (taken - of.seconds);
}

// Seconds per cell that a pass of this size reads: the slope among its own passes, or that of the
// nearest size which has been seen at several depths.
double cost_model::read_s(size_t at) const {
    const auto slope = [&](size_t i) {
        const double spread = enough_spread * sizes[i];
        return seen_[i].variance > spread * spread ? std::max(0.0, seen_[i].covariance / seen_[i].variance)
                                                   : -1.0;
    };
    for (size_t away = 0; away < sizes.size(); ++away) {
        if (at + away < sizes.size() && slope(at + away) >= 0) {
            return slope(at + away);
        }
        if (at >= away && slope(at - away) >= 0) {
            return slope(at - away);
        }
    }
    return 0;
}

double cost_model::at_depth(size_t at, double read_by_row) const {
    const seen & of = seen_[at];
    const double slope = read_s(at);
    const double n_read = read_by_row * sizes[at];
    return std::max(least_share * of.seconds, of.seconds - slope * of.n_read) + slope * n_read;
}

int cost_model::least_rows() const {
    const auto first = std::find_if(seen_.begin(), seen_.end(), [](const seen & of) { return of.n > 0; });
    return first == seen_.end() ? 0 : sizes[static_cast<size_t>(first - seen_.begin())];
}

int cost_model::most_rows() const {
    int most = 0;
    for (size_t i = 0; i < sizes.size(); ++i) {
        most = seen_[i].n > 0 ? sizes[i] : most;
    }
    return most;
}

double cost_model::seconds(pass_size size) const {
    const double read_by_row = size.n_rows > 0 ? size.n_read / size.n_rows : 0;
    int below = -1;
    int above = -1;
    double floor = 0;  // a larger pass is never faster than a smaller one
    for (int i = 0; i < static_cast<int>(sizes.size()); ++i) {
        const auto at = static_cast<size_t>(i);
        if (seen_[at].n == 0) {
            continue;
        }
        if (sizes[at] <= size.n_rows) {
            below = i;
            floor = std::max(floor, at_depth(at, read_by_row));
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
        return at_depth(high, read_by_row) * (0.5 + 0.5 * size.n_rows / sizes[high]);
    }
    if (above < 0) {
        return floor * size.n_rows / sizes[low];
    }
    const double share = static_cast<double>(size.n_rows - sizes[low]) / (sizes[high] - sizes[low]);
    return floor + share * std::max(0.0, at_depth(high, read_by_row) - floor);
}

int cost_model::rows_within(double limit_s, int depth, int least, int most) const {
    const auto fits = [&](int n) { return seconds(continuing(n, depth)) <= limit_s; };
    int found = std::min(least, most);
    for (const int size : sizes) {
        if (size > most) {
            break;
        }
        if (size > found && fits(size)) {
            found = size;
        }
    }
    return fits(most) ? std::max(found, most) : found;
}

}  // namespace jan
