#include "constraint/compiled_grammar.h"

#include "error.h"

#include <utility>

namespace jan {

compiled_grammar::compiled_grammar(const grammar & source, std::shared_ptr<const token_trie> words,
                                   const grammar_limits & limits, const automaton_limits & automaton)
    : program_(std::make_shared<grammar_program>(source, limits)), words_(std::move(words)),
      limits_(automaton), automaton_(std::make_shared<grammar_automaton>(program_, words_, limits_)) {
    const int32_t start = automaton_->start();
    if (start == grammar_automaton::dead || automaton_->final(start)) {
        throw error(errc::invalid_argument, "grammar: it allows no text at all");
    }
    const std::shared_ptr<const token_mask> first = automaton_->mask(start);
    if (first->empty()) {
        throw error(errc::invalid_argument, "grammar: no token of this vocabulary can begin it");
    }
}

std::shared_ptr<grammar_automaton> compiled_grammar::automaton() const {
    const std::lock_guard lock(mutex_);
    return automaton_;
}

std::shared_ptr<grammar_automaton>
compiled_grammar::replace(const std::shared_ptr<grammar_automaton> & full) {
    const std::lock_guard lock(mutex_);
    if (automaton_ == full) {
        automaton_ = std::make_shared<grammar_automaton>(program_, words_, limits_);
    }
    return automaton_;
}

size_t compiled_grammar::n_bytes() const { return program_->n_bytes() + automaton()->n_bytes(); }

}  // namespace jan
