#include "constraint/constraint.h"

#include "error.h"

#include <algorithm>
#include <string>
#include <utility>

namespace jan {

namespace {

// States of a request besides the automaton's.
constexpr int32_t waiting = -2;  // for a trigger
constexpr int32_t ended = -3;

constexpr size_t most_refused = 16;  // then the text goes on freely

}  // namespace

constraint::constraint(std::shared_ptr<const constraint_params> params, const piece_table & pieces,
                       std::vector<token> shown, size_t most_places)
    : params_(std::move(params)), pieces_(pieces), shown_(std::move(shown)), most_places_(most_places),
      automaton_(params_->grammar->automaton()), search_(params_->begin),
      state_(params_->lazy ? waiting : automaton_->after(automaton_->start(), params_->begun)) {
    if (state_ == grammar_automaton::dead) {
        throw error(errc::invalid_argument, "constraint_begun: no text of the constraint begins like this");
    }
}

std::string_view constraint::text_of(token id) const {
    const std::string_view bytes = pieces_.bytes(id);
    if (!bytes.empty() || std::find(shown_.begin(), shown_.end(), id) == shown_.end()) {
        return bytes;
    }
    return pieces_.special(id);
}

int32_t constraint::after(token id) const {
    if (pieces_.ends_generation(id)) {
        return automaton_->complete(state_) ? ended : grammar_automaton::dead;
    }
    return automaton_->after(state_, id, text_of(id));
}

// Where the text is once this token comes; it goes on waiting if nothing is triggered by that.
int32_t constraint::after_waiting(token id) {
    const std::vector<token> & tokens = params_->begin.tokens;
    if (std::find(tokens.begin(), tokens.end(), id) != tokens.end()) {
        return automaton_->after(automaton_->start(), id, pieces_.special(id));
    }
    std::string text;
    if (pieces_.ends_generation(id) || !search_.finds(text_of(id), text)) {
        return waiting;
    }
    return automaton_->after(automaton_->start(), text);
}

bool constraint::allows(token id) {
    checked_ = id;
    if (state_ == ended) {
        after_checked_ = ended;
        return true;
    }
    if (state_ != waiting) {
        after_checked_ = after(id);
        return after_checked_ != grammar_automaton::dead;
    }
    after_checked_ = after_waiting(id);
    if (after_checked_ != grammar_automaton::dead) {
        return true;
    }
    after_checked_ = waiting;
    if (refused_.size() >= most_refused) {
        return true;
    }
    refused_.push_back(id);
    return false;
}

void constraint::accept(token id) {
    if (checked_ != id) {
        allows(id);
    }
    checked_ = -1;
    refused_.clear();
    asked_before_ = asked_;
    asked_ = false;
    if (after_checked_ == waiting) {
        search_.add(text_of(id));
    }
    state_ = after_checked_;
    if (state_ < 0) {
        finished_ = state_ == ended;
        return;
    }
    finished_ = automaton_->final(state_);
    if (automaton_->full()) {
        const std::vector<grammar_automaton::stack> stacks = automaton_->stacks(state_);
        automaton_ = params_->grammar->replace(automaton_);
        state_ = automaton_->enter(stacks);
    }
}

void constraint::prepare(mask_ahead & elsewhere) const {
    if (asked_before_ && state_ >= 0 && !automaton_->has_mask(state_)) {
        elsewhere.want(automaton_, state_);
    }
}

std::shared_ptr<const token_mask> constraint::allowed(size_t n_most) {
    asked_ = true;
    if (state_ >= 0) {
        if (n_places_ >= most_places_) {
            throw error(errc::invalid_argument, "grammar: working out what may follow takes too long; say "
                                                "the same with fewer ways to read it");
        }
        mask_purse purse{n_most};
        const std::shared_ptr<const token_mask> mask = automaton_->mask(state_, purse);
        n_places_ += purse.n_spent;
        awaits_mask_ = !mask;
        return mask ? with_shown(mask) : nullptr;
    }
    auto all = std::make_shared<token_mask>(pieces_.n_tokens());
    all->allow_all();
    for (const token id : refused_) {
        all->ban(id);
    }
    return all;
}

std::shared_ptr<const token_mask> constraint::with_shown(std::shared_ptr<const token_mask> mask) const {
    std::shared_ptr<token_mask> more;
    for (const token id : shown_) {
        if (mask->allows(id) || after(id) == grammar_automaton::dead) {
            continue;
        }
        if (!more) {
            more = std::make_shared<token_mask>(*mask);
        }
        more->allow(id);
    }
    return more ? more : mask;
}

}  // namespace jan
