// How many guesses each decoding sequence of a step carries, so that the step gives the most tokens
// for its time.
#pragma once

#include <functional>
#include <vector>

namespace jan {

// What a step costs is asked, not known: it depends on how its rows fall into passes.
class draft_plan {
  public:
    struct bounds {
        int n_rows = 0;          // guesses that the step has room for
        double worst_steps = 0;  // what it may lose if none is right, in steps without guesses
        // Where only sequences with equally many rows share a pass: how many guesses all of them have
        // room for, those included that have nothing to guess.
        int most_level = 0;
    };

    void clear();
    // The next sequence: how likely its first n guesses are all right, for n from 1; none to guess.
    std::vector<double> & add();

    // For each sequence in turn how many guesses; all 0 when none pay. `seconds` says how long the
    // step takes with so many.
    const std::vector<int> & choose(const bounds & within,
                                    const std::function<double(const std::vector<int> &)> & seconds);

    double seconds_without() const { return seconds_without_; }  // of the step just chosen for

  private:
    bool fill(double least_chance, int most, const bounds & within);
    bool make_level(const bounds & within);
    double expected(const std::vector<int> & n_guesses) const;
    void consider(const std::vector<int> & n_guesses, const bounds & within,
                  const std::function<double(const std::vector<int> &)> & seconds, bool on_trial);
    void consider_as_filled(const bounds & within,
                            const std::function<double(const std::vector<int> &)> & seconds, bool on_trial);

    std::vector<std::vector<double>> chances_;  // kept from step to step
    size_t n_ = 0;                              // of them in use
    std::vector<int> trial_;
    std::vector<int> level_;
    std::vector<int> best_;
    double best_gain_s_ = 0;
    double seconds_without_ = 0;
};

// What guessing has earned and may lose, in steps without guesses: whatever the estimates say, it
// takes little more than nothing from those it does not help.
class draft_purse {
  public:
    double steps() const { return steps_; }
    void step_without() { add(allowance); }
    // A step with guesses took `more` steps' time than one without, and gave n_more tokens more.
    void step_with(double more, double n_more, int n_streams) { add(n_more / n_streams - more); }

  private:
    static constexpr double at_first = 6;
    static constexpr double most = 32;
    static constexpr double allowance = 0.005;  // of the time may go into guesses that fail

    void add(double steps) { steps_ = steps_ + steps < most ? steps_ + steps : most; }

    double steps_ = at_first;
};

}  // namespace jan
