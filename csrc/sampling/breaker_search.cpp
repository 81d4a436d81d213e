#include "sampling/breaker_search.h"

#include <algorithm>
#include <map>
#include <string_view>
#include <utility>

namespace jan {

namespace {

constexpr size_t max_tail = 20;  // tokens; upstream's limit

}  // namespace

dry_breakers find_breakers(const piece_table & words, const std::vector<std::string> & breakers,
                           const std::function<std::vector<token>(const std::string &)> & tokenize) {
    // By first byte, so that most bytes of the vocabulary cost one look.
    std::vector<size_t> beginning[256];
    for (size_t i = 0; i < breakers.size(); ++i) {
        beginning[static_cast<unsigned char>(breakers[i][0])].push_back(i);
    }
    dry_breakers found;
    found.alone.resize(static_cast<size_t>(words.n_tokens()));
    std::map<std::pair<size_t, size_t>, int> known;  // breaker and where it is split: which tail
    const auto tail_of = [&](size_t breaker, size_t at) {
        const auto [place, added] = known.try_emplace({breaker, at}, static_cast<int>(found.tails.size()));
        if (added) {
            found.tails.push_back(tokenize(breakers[breaker].substr(at)));
            found.tails.back().resize(std::min(found.tails.back().size(), max_tail));
        }
        return place->second;
    };
    std::vector<token> last_holder(breakers.size(), -1);
    for (token id = 0; id < words.n_tokens(); ++id) {
        const std::string_view word = words.bytes(id);
        for (size_t at = 0; at < word.size(); ++at) {
            for (const size_t breaker : beginning[static_cast<unsigned char>(word[at])]) {
                const std::string_view text = breakers[breaker];
                const size_t n = std::min(word.size() - at, text.size());
                if (last_holder[breaker] == id || word.compare(at, n, text, 0, n) != 0) {
                    continue;  // held whole, further left: its parts no longer count
                }
                if (n == text.size()) {
                    last_holder[breaker] = id;
                    found.alone[static_cast<size_t>(id)] = 1;
                    continue;
                }
                const int tail = tail_of(breaker, n);
                if (found.tails[static_cast<size_t>(tail)].empty()) {
                    found.alone[static_cast<size_t>(id)] = 1;
                } else {
                    found.ends[id].push_back(tail);
                }
            }
        }
    }
    return found;
}

}  // namespace jan
