// Which attention kernel is better for what a typical request does: the decision, without the timing.
// Reasons and figures in docs/adr/0017.
#pragma once

#include <string>

namespace jan {

// The shortest times seen of three kinds of pass through the whole model.
struct kernel_times {
    double decode_s = 0;  // a row in each lane
    double large_s = 0;   // rows of a prompt that has the machine to itself
    double small_s = 0;   // rows of a prompt beside decoding streams
};

// How many rows those passes have, and the depth at which they are timed.
struct trial_size {
    int n_lanes = 1;
    int n_large = 64;  // from here on the flash kernel has a fast path for rows of one sequence
    int n_small = 32;  // least_rows_apart of scheduler_pace.cpp
    int depth = 0;     // cells of a lane that decodes, the n_large last read included
};

// What the scheduler lets a prompt take of the time of streams that decode; see scheduler_options.
struct prompt_pace {
    double token_gap_s = 0.01;
    double slowdown = 2.5;
};

enum class kernel_reason : int {
    given = 0,  // asked for, or the only one that this cache, model or device is right for
    timed,
    untimed,  // either would do, and there was no time to find out
};

struct kernel_choice {
    int flash = -1;  // 0 plain products, 1 the flash kernel, -1 upstream decides
    kernel_reason reason = kernel_reason::given;
    // Of one token made and one prompt token read; 0 = not timed.
    double plain_s = 0;
    double flash_s = 0;
    trial_size size;
    int n_rounds = 0;
    std::string failure;  // why it is untimed, where something went wrong
};

// How the kernels are to be timed for lanes of n_ctx cells and passes of max_rows.
trial_size plan_trial(int n_lanes, int n_ctx, int max_rows);

// Whether prompts beside decoding streams come in small pieces: there are such streams, and a large
// piece takes longer than the scheduler lets them wait.
bool reads_small(const kernel_times & times, const trial_size & size, const prompt_pace & pace);

// What a token made and a prompt token read take together.
double request_token_s(const kernel_times & times, const trial_size & size, const prompt_pace & pace);

// The flash kernel only where it is faster by more than noise: the other is the default.
kernel_choice choose_kernel(const kernel_times & plain, const kernel_times & flash, const trial_size & size,
                            const prompt_pace & pace);

}  // namespace jan
