#include "workers/worker_choice.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>

namespace jan {

namespace {

constexpr double quick = 0.3;        // weight of a new pass in what is compared
constexpr double slow = 0.05;        // and in what is usual
constexpr double forgets_s = 5;      // a size not seen for so long begins where one like it stands
constexpr int alike = 2;             // powers of two between sizes that are like each other
constexpr int rows_of_reading = 8;   // reading the weights takes about as long as computing so many rows
constexpr double nearly_free = 0.7;  // of a core

}  // namespace

worker_choice::worker_choice(int most, std::function<double()> free_cores)
    : free_cores_(std::move(free_cores)) {
    counts_.push_back(std::max(1, most));
    while (counts_.back() > 1) {  // one neighbour takes one core; then in larger steps
        const int last = counts_.back();
        counts_.push_back(counts_.size() == 1 ? last - 1 : std::max(1, last * 3 / 4));
    }
}

// A size that was not seen lately takes over what one like it knows: streams come and go, and each number of
// them would else find out by itself, slowly.
void worker_choice::adopt(size_t size, double now_s) {
    size_class & of = sizes_[size];
    if (of.pass_s > 0 && now_s - of.seen_s < forgets_s) {
        return;
    }
    const size_class * nearest = nullptr;
    for (int away = 1; away <= alike && !nearest; ++away) {
        for (const int other : {static_cast<int>(size) - away, static_cast<int>(size) + away}) {
            if (other >= 0 && other < static_cast<int>(sizes_.size()) &&
                now_s - sizes_[static_cast<size_t>(other)].seen_s < forgets_s &&
                sizes_[static_cast<size_t>(other)].pass_s > 0) {
                nearest = &sizes_[static_cast<size_t>(other)];
                break;
            }
        }
    }
    if (nearest) {
        of = *nearest;
        of.pass_s = of.usual_s = 0;  // its own times are learned anew
        of.trial = -1;
    }
}

// The next count to try when passes wait too much; -1: there is none.
int worker_choice::fewer(const size_class & of) const {
    const auto last = static_cast<int>(counts_.size()) - 1;
    if (of.at == last) {
        return -1;
    }
    int next = of.at + 1;
    const auto count = [&](int i) { return counts_[static_cast<size_t>(i)]; };
    while (of.waits >= waits_mostly && next < last && 2 * count(next) > count(of.at)) {
        ++next;
    }
    return next;
}

// The count to try when it is time to look whether more pay again; -1: it is not.
int worker_choice::more(const size_class & of, double now_s) {
    if (of.at == 0) {
        return -1;
    }
    if (now_s - checked_s_ >= check_s) {
        checked_s_ = now_s;
        n_free_ = free_cores_();
    }
    if (n_free_ >= 0 && now_s >= of.if_free_from_s) {
        const auto n_could = static_cast<int>(n_free_ + 1 - nearly_free);
        for (int i = 0; i < of.at; ++i) {
            if (counts_[static_cast<size_t>(i)] <= n_could) {
                return i;
            }
        }
    }
    return now_s >= of.more_from_s ? of.at - 1 : -1;
}

int worker_choice::choose(int n_rows, double now_s) {
    size_ = std::min(sizes_.size() - 1, static_cast<size_t>(std::log2(std::max(1, n_rows))));
    work_ = rows_of_reading + std::max(1, n_rows);
    adopt(size_, now_s);
    size_class & of = sizes_[size_];
    if (of.trial < 0 && of.pass_s > 0) {
        const bool suffers = of.waits >= waits_much || of.pass_s > slower * of.usual_s;
        int next = suffers && now_s >= of.fewer_from_s ? fewer(of) : -1;
        if (next < 0) {
            next = more(of, now_s);
        }
        if (next >= 0) {
            of.trial = next;
            of.n_tried = 0;
            of.tried_s = of.lost_s = 0;
        }
    }
    return counts_[static_cast<size_t>(of.trial >= 0 ? of.trial : of.at)];
}

void worker_choice::observe(pass_watch took, double now_s) {
    size_class & of = sizes_[size_];
    const double unit_s = took.wall_s / work_;
    if (took.wall_s <= 0) {
        return;
    }
    of.seen_s = now_s;
    const double waits = std::clamp(took.off_core_s / took.wall_s, 0.0, 1.0);
    if (of.trial < 0) {
        const bool first = of.pass_s <= 0;
        of.waits = first ? waits : of.waits + quick * (waits - of.waits);
        of.pass_s = first ? unit_s : of.pass_s + quick * (unit_s - of.pass_s);
        // One pass with a hole in it says little about what is usual.
        of.usual_s = first ? unit_s : of.usual_s + slow * (std::min(unit_s, 2 * of.usual_s) - of.usual_s);
        of.usual_s = std::min(of.usual_s, of.pass_s);
        return;
    }
    ++of.n_tried;
    of.tried_s += unit_s;
    of.lost_s += std::max(0.0, took.wall_s - of.pass_s * work_);
    const double so_far = of.tried_s / of.n_tried;
    if (of.tried_s >= n_trial * worth * of.pass_s || so_far > slower * of.pass_s) {
        settle(of, false, now_s);  // whatever the rest would take
    } else if (of.n_tried == n_trial) {
        of.lost_s = std::max(0.0, of.pass_s - so_far) * work_;  // by another pass as before
        of.pass_s = of.usual_s = so_far;
        of.waits = waits;
        settle(of, true, now_s);
    }
}

void worker_choice::settle(size_class & of, bool better, double now_s) {
    const bool was_more = of.trial < of.at;
    if (better) {
        of.at = of.trial;
        of.pause_s = least_pause_s;
        // More will hardly pay a moment after fewer did, and the other way about.
        if (was_more) {
            of.fewer_from_s = now_s + least_pause_s;
        } else {
            of.if_free_from_s = now_s + least_pause_s;
            of.more_from_s = now_s + std::max(4 * least_pause_s, of.lost_s / share_for_more);
        }
    } else {
        const double bounded_s = now_s + std::max(of.pause_s, of.lost_s / share_for_more);
        if (was_more) {
            of.more_from_s = bounded_s;
            of.if_free_from_s = now_s + std::max(of.pause_s, of.lost_s / share_if_free);
        } else {
            of.fewer_from_s = bounded_s;
        }
        of.pause_s = std::min(2 * of.pause_s, most_pause_s);
    }
    of.trial = -1;
}

}  // namespace jan
