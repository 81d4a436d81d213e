// Runs a grammar: where it can be after some text, which tokens may come next. States and the
// ways between them are found when they are first needed and kept, so that a step of a token is a
// few table look-ups, for every request that has the same grammar.
//
// A state is a set of places; a place is a node of the program and the frame of the rule it is
// in, that is, where to go on behind it, and in which frame. Frames with equal content are one.
#pragma once

#include "constraint/grammar_program.h"
#include "constraint/place_set.h"
#include "constraint/token_mask.h"
#include "constraint/token_trie.h"

#include <cstdint>
#include <memory>
#include <mutex>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace jan {

struct automaton_limits {
    size_t n_bytes = 32 << 20;      // of states and masks, before it should be replaced
    size_t n_places = 20'000;       // looked at for one step of a byte
    size_t n_per_text = 200'000;    // for the bytes of one token
    size_t n_per_mask = 2'000'000;  // for one mask, in however many pieces
};

// What a call may look at before it has to leave off, and what it did look at: places, and
// sixteen nodes of the vocabulary's tree count as one.
struct mask_purse {
    size_t n_most;
    size_t n_spent = 0;
};

// Any thread may call anything; one call runs at a time. What goes beyond the limits throws
// invalid_argument and leaves everything as it was.
class grammar_automaton {
  public:
    static constexpr int32_t dead = -1;

    grammar_automaton(std::shared_ptr<const grammar_program> program, std::shared_ptr<const token_trie> words,
                      const automaton_limits & limits = {});

    int32_t start();
    int32_t after(int32_t state, std::string_view bytes);            // `dead` when they cannot come
    int32_t after(int32_t state, token id, std::string_view bytes);  // as that token, or as its bytes
    bool complete(int32_t state);                                    // the text may end here
    bool final(int32_t state);                                       // and nothing can follow
    std::shared_ptr<const token_mask> mask(int32_t state);
    // nullptr where the purse is too small: what was done is kept, and the next call goes on there.
    std::shared_ptr<const token_mask> mask(int32_t state, mask_purse & purse);
    bool has_mask(int32_t state);

    // It has grown beyond its limit; another one may take over with the places of a state.
    bool full();
    using stack = std::vector<int32_t>;  // nodes, the innermost first
    std::vector<stack> stacks(int32_t state);
    int32_t enter(const std::vector<stack> & stacks);

    size_t n_bytes();

  private:
    struct frame {
        int32_t back;    // where to go on
        int32_t parent;  // in which frame; -1: this is the outermost
    };

    struct state_content {
        std::vector<place> places;
        bool complete = false;
        std::shared_ptr<const token_mask> mask;
    };

    // A mask in the making: down to which node of the words' tree, and by which states.
    struct unfinished_mask {
        std::shared_ptr<token_mask> allowed;
        std::vector<int32_t> path;
        size_t next = 0;
        size_t n_spent = 0;
    };

    int32_t frame_of(int32_t back, int32_t parent);
    unfinished_mask begin_mask(int32_t state) const;
    bool go_on(unfinished_mask & made, size_t n_most);
    std::shared_ptr<const token_mask> finish_mask(int32_t state, const unfinished_mask & made);
    void begin_step();
    void reach(place from);
    int32_t close();
    int32_t step(int32_t state, int cls);
    int32_t walk(int32_t state, std::string_view bytes);
    void allow_by_token(int32_t state, token_mask & into) const;
    size_t used() const;
    void spend();

    const std::shared_ptr<const grammar_program> program_;
    const std::shared_ptr<const token_trie> words_;
    const automaton_limits limits_;

    std::mutex mutex_;
    std::vector<frame> frames_;
    std::unordered_map<uint64_t, int32_t> frame_ids_;
    std::vector<state_content> states_;
    std::unordered_multimap<uint64_t, int32_t> state_ids_;  // by a hash of the places
    std::vector<int32_t> next_;                             // states * classes
    size_t n_mask_bytes_ = 0;
    size_t n_place_bytes_ = 0;
    size_t n_looked_at_ = 0;  // in this call,
    size_t n_allowed_ = 0;    // and how many it may
    std::unordered_map<int32_t, unfinished_mask> unfinished_;

    // Of the step in the making.
    place_set seen_;
    std::vector<place> open_;
    std::vector<place> found_;
    bool found_end_ = false;
};

}  // namespace jan
