// Decides how many workers compute the next forward pass. Every operation of a pass ends in a barrier: when a
// neighbour holds the core of one worker, all others wait for it. So passes are watched for what they wait,
// and fewer workers are tried, and more again, as measured times say. Sees no clock, no thread and no model.
#pragma once

#include <array>
#include <functional>
#include <vector>

namespace jan {

// What a pass took, as the thread that began it saw.
struct pass_watch {
    double wall_s = 0;
    double off_core_s =
        0;  // of these, that thread was not on a core: it waited for a worker, or for its turn
};

// For one thread. Keeps what it knows apart for each size of pass (its rows, by powers of two): one that is
// short and has many barriers suffers where a long one does not.
class worker_choice {
  public:
    // `most` workers at most. `free_cores` says how many cores this process could have now, those that it
    // uses included; a negative number where nobody knows. It is asked at most once per check_s and only
    // while fewer than `most` compute.
    worker_choice(int most, std::function<double()> free_cores);

    // How many workers compute the next pass, of n_rows rows, that begins at now_s. observe() follows each.
    int choose(int n_rows, double now_s);
    void observe(pass_watch took, double now_s);

    // The counts that are tried, from the most to one.
    const std::vector<int> & counts() const { return counts_; }

    static constexpr int n_trial = 3;               // passes that a trial takes, if it does not fail sooner
    static constexpr double waits_much = 0.1;       // share of a pass off the core from which fewer may pay
    static constexpr double waits_mostly = 0.5;     // from here half as many are tried at once
    static constexpr double worth = 0.95;           // of the time before, for a change to stay
    static constexpr double slower = 1.5;           // than usual: also a reason to try fewer
    static constexpr double check_s = 0.2;          // between two looks at free cores
    static constexpr double share_for_more = 0.02;  // of all time that failed trials of other counts may take
    static constexpr double share_if_free = 0.1;    // the same for more workers when cores are free
    static constexpr double least_pause_s = 0.25;   // after a failed trial; doubles with each
    static constexpr double most_pause_s = 60;

  private:
    struct size_class {
        int at = 0;            // index into counts_ that is in force
        double pass_s = 0;     // running mean per unit of work; 0: no pass seen
        double usual_s = 0;    // the same, slower to change
        double waits = 0;      // running mean of the share off the core
        double seen_s = -1e9;  // when the last pass ended
        int trial = -1;        // index that is on trial; -1 none
        int n_tried = 0;
        double tried_s = 0;  // in this trial, per unit of work, summed
        double lost_s = 0;   // seconds beyond what the passes would have taken
        double pause_s = least_pause_s;
        double fewer_from_s = -1e9;    // no trial of fewer before
        double more_from_s = -1e9;     // no trial of more before, though nothing says that cores are free
        double if_free_from_s = -1e9;  // nor where cores are free
    };

    void adopt(size_t size, double now_s);
    int fewer(const size_class & of) const;
    int more(const size_class & of, double now_s);
    void settle(size_class & of, bool better, double now_s);

    const std::function<double()> free_cores_;
    std::vector<int> counts_;
    std::array<size_class, 16> sizes_{};
    size_t size_ = 0;  // of the pass that was chosen for last
    double work_ = 1;  // its units of work
    double checked_s_ = -1e9;
    double n_free_ = -1;
};

}  // namespace jan
