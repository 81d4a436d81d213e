// A grammar ready for use with one vocabulary, shared by every request that asks for it.
#pragma once

#include "constraint/grammar_automaton.h"

#include <memory>
#include <mutex>

namespace jan {

// For any thread.
class compiled_grammar {
  public:
    // Throws invalid_argument, also when the first step already goes beyond the limits.
    compiled_grammar(const grammar & source, std::shared_ptr<const token_trie> words,
                     const grammar_limits & limits = {}, const automaton_limits & automaton = {});

    std::shared_ptr<grammar_automaton> automaton() const;

    // The one that takes over from one that is full.
    std::shared_ptr<grammar_automaton> replace(const std::shared_ptr<grammar_automaton> & full);

    size_t n_bytes() const;
    const token_trie & words() const { return *words_; }

  private:
    const std::shared_ptr<const grammar_program> program_;
    const std::shared_ptr<const token_trie> words_;
    const automaton_limits limits_;
    mutable std::mutex mutex_;
    std::shared_ptr<grammar_automaton> automaton_;
};

}  // namespace jan
