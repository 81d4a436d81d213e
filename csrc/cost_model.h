// How long a forward pass of so many rows takes on this machine, learned while it runs.
#pragma once

#include <array>

namespace jan {

// For one thread. Knows the time at a few row counts and interpolates between those; with
// nothing observed it calls every pass free, so the first passes are full ones.
class cost_model {
  public:
    static constexpr std::array<int, 20> sizes = {1,  2,  4,   6,   8,   12,  16,  24,   32,   48,
                                                  64, 96, 128, 192, 256, 384, 512, 1024, 2048, 4096};

    void observe(int n_rows, double seconds);

    // How much longer than known the last few passes took, or shorter: sequences grow deeper and
    // neighbours come and go faster than the sizes are learned anew.
    double strain() const { return strain_; }

    // Never less for more rows.
    double seconds(int n_rows) const;

    // The largest of `sizes` up to `most` whose pass ends within `limit_s`; at least `least`.
    int rows_within(double limit_s, int least, int most) const;

  private:
    std::array<double, sizes.size()> known_{};  // 0: not observed
    std::array<int, sizes.size()> n_seen_{};
    double strain_ = 1;
};

}  // namespace jan
