#include "constraint/grammar_cache.h"

#include "constraint/gbnf.h"
#include "constraint/regex_grammar.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace jan {

namespace {

bool is_ready(const std::shared_future<grammar_cache::result> & f) {
    return f.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
}

}  // namespace

std::shared_ptr<const token_trie> grammar_cache::words() {
    std::call_once(words_built_, [this] { words_ = std::make_shared<token_trie>(*pieces_); });
    return words_;
}

grammar_cache::result grammar_cache::gbnf(std::string_view text, const std::string & root) {
    return find("gbnf\n" + root + "\n" + std::string(text), [&] {
        return read_gbnf(text, root, [this](std::string_view name) { return pieces_->find_special(name); });
    });
}

grammar_cache::result grammar_cache::regex(std::string_view pattern) {
    return find("regex\n" + std::string(pattern), [&] { return regex_grammar(pattern); });
}

grammar_cache::result grammar_cache::choices(const std::vector<std::string> & texts) {
    std::string key = "choices\n";
    for (const std::string & text : texts) {
        key += std::to_string(text.size()) + ":" + text;
    }
    return find(std::move(key), [&] { return choice_grammar(texts); });
}

grammar_cache::result grammar_cache::find(std::string key, const std::function<grammar()> & read) {
    std::promise<result> promise;
    std::shared_future<result> found;
    {
        const std::lock_guard lock(mutex_);
        const auto known =
            std::find_if(entries_.begin(), entries_.end(), [&](const entry & e) { return e.key == key; });
        if (known != entries_.end()) {
            entries_.splice(entries_.begin(), entries_, known);
            found = known->grammar;
        } else {
            entries_.push_front({key, promise.get_future().share()});
        }
    }
    if (found.valid()) {
        return found.get();
    }
    try {
        auto made = std::make_shared<compiled_grammar>(read(), words());
        promise.set_value(made);
        const std::lock_guard lock(mutex_);
        ++n_compiled_;
        make_room();
        return made;
    } catch (...) {
        promise.set_exception(std::current_exception());
        const std::lock_guard lock(mutex_);
        entries_.remove_if([&](const entry & e) { return e.key == key; });
        throw;
    }
}

// Drops what was unused for longest; those that use it keep it.
void grammar_cache::make_room() {
    size_t n = 0;
    for (auto e = entries_.begin(); e != entries_.end();) {
        if (!is_ready(e->grammar)) {
            ++e;
            continue;
        }
        n += e->key.size() + e->grammar.get()->n_bytes();
        e = n > most_bytes_ && e != entries_.begin() ? entries_.erase(e) : std::next(e);
    }
}

size_t grammar_cache::n_bytes() const {
    const std::lock_guard lock(mutex_);
    size_t n = 0;
    for (const entry & e : entries_) {
        n += is_ready(e.grammar) ? e.key.size() + e.grammar.get()->n_bytes() : 0;
    }
    return n;
}

uint64_t grammar_cache::n_compiled() const {
    const std::lock_guard lock(mutex_);
    return n_compiled_;
}

}  // namespace jan
