// How long a forward pass takes on this machine, by its rows and by the cells they read, learned
// while it runs.
#pragma once

#include <array>
#include <cstddef>

namespace jan {

struct pass_size {
    int n_rows = 0;
    double n_read = 0;  // cells of the cache, summed over the rows that look at them
};

// For one thread. Knows the time at a few row counts, each with a cost per cell read, and
// interpolates between those; with nothing observed it calls every pass free, so the first passes
// are full ones.
class cost_model {
  public:
    static constexpr std::array<int, 20> sizes = {1,  2,  4,   6,   8,   12,  16,  24,   32,   48,
                                                  64, 96, 128, 192, 256, 384, 512, 1024, 2048, 4096};

    void observe(pass_size size, double seconds);

    // How much longer than known the last few passes took, or shorter: neighbours come and go
    // faster than the sizes are learned anew.
    double strain() const { return strain_; }

    int least_rows() const;  // of the passes seen; 0 = none
    int most_rows() const;

    // Never less for more rows, nor for more cells.
    double seconds(pass_size size) const;

    // The largest of `sizes` up to `most` whose pass ends within `limit_s` when its rows continue
    // a lane of `depth` cells; at least `least`.
    int rows_within(double limit_s, int depth, int least, int most) const;

  private:
    // Passes of one size: running means of what they read and how long they took, and how the two
    // vary together.
    struct seen {
        int n = 0;
        double n_read = 0;
        double seconds = 0;
        double variance = 0;  // of n_read, summed and fading
        double covariance = 0;
    };

    double read_s(size_t at) const;
    double at_depth(size_t at, double read_by_row) const;

    std::array<seen, sizes.size()> seen_{};
    double strain_ = 1;
};

}  // namespace jan
