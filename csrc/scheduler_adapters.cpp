// Whose adapters the next step computes with: the scheduler's dealings with sets that cannot share a pass.
#include "scheduler.h"

#include <algorithm>

namespace jan {

// Sets take turns, whichever was served least recently next. Turning costs upstream a new reservation of
// its graphs, so a turn lasts; prompts keep to its length while others have streams that wait.
void scheduler::choose_adapters(double now_s, bool at_once) {
    const sequence * next = nullptr;
    bool any_served = false;
    for (sequence * s : running_) {
        if (is_served(s)) {
            any_served = true;
            s->served_s = now_s;
        } else {
            next = !next || s->served_s < next->served_s ? s : next;
        }
    }
    if (next && (at_once || !any_served || now_s - turn_began_s_ >= options_.turn_s)) {
        served_ = next->ask.adapters;
        turn_began_s_ = now_s;
        plan_.turns = true;
    }
    others_decode_ = next && std::any_of(running_.begin(), running_.end(), [&](const sequence * s) {
                         return !is_served(s) && s->n_left() == 1;
                     });
}

}  // namespace jan
