// Grammars by what they were made from, so that the next request with the same one compiles nothing.
#pragma once

#include "constraint/compiled_grammar.h"
#include "piece_table.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <future>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace jan {

// For any thread, but not the engine's: compiling takes milliseconds, and up to a second for what
// the limits just allow. Whoever asks for what another thread is compiling waits for it.
class grammar_cache {
  public:
    explicit grammar_cache(std::shared_ptr<const piece_table> pieces, size_t n_bytes = 256 << 20)
        : pieces_(std::move(pieces)), most_bytes_(n_bytes) {}

    using result = std::shared_ptr<compiled_grammar>;

    // All throw invalid_argument, whose message begins with what was wrong: grammar, regex, choices.
    result gbnf(std::string_view text, const std::string & root = "root");
    result regex(std::string_view pattern);
    result choices(const std::vector<std::string> & texts);

    // Whether it is of this cache's vocabulary.
    bool made(const compiled_grammar & one) { return &one.words() == words().get(); }

    size_t n_bytes() const;
    uint64_t n_compiled() const;

  private:
    struct entry {
        std::string key;
        std::shared_future<result> grammar;
    };

    result find(std::string key, const std::function<grammar()> & read);
    std::shared_ptr<const token_trie> words();
    void make_room();

    const std::shared_ptr<const piece_table> pieces_;
    const size_t most_bytes_;
    std::once_flag words_built_;
    std::shared_ptr<const token_trie> words_;
    mutable std::mutex mutex_;
    std::list<entry> entries_;  // the last used first
    uint64_t n_compiled_ = 0;
};

}  // namespace jan
