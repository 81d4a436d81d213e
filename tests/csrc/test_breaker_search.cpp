// DRY's sequence breakers are found as a plain look at every token and every breaker finds them,
// and no part of a breaker is tokenised twice.
#include "check.h"

#include "sampling/breaker_search.h"

#include <algorithm>
#include <random>
#include <set>

namespace {

using namespace jan;

std::vector<token> letters(const std::string & text) {
    std::vector<token> ids;
    for (const char c : text) {
        ids.push_back(c - 'a');
    }
    return ids;
}

std::string random_text(size_t longest, std::mt19937 & random) {
    std::string text(1 + random() % longest, 'a');
    for (char & c : text) {
        c = static_cast<char>('a' + random() % 3);
    }
    return text;
}

// What may follow the word, as upstream goes about it; nothing in it: it breaks by itself.
std::set<std::vector<token>> plainly(const std::string & word, const std::vector<std::string> & breakers) {
    std::set<std::vector<token>> tails;
    for (const std::string & breaker : breakers) {
        if (word.find(breaker) != std::string::npos) {
            tails.insert(std::vector<token>());
            continue;
        }
        for (size_t at = 0; at < word.size(); ++at) {
            const size_t n = word.size() - at;
            if (n < breaker.size() && word.substr(at) == breaker.substr(0, n)) {
                std::vector<token> tail = letters(breaker.substr(n));
                tail.resize(std::min<size_t>(tail.size(), 20));
                tails.insert(tail);
            }
        }
    }
    return tails;
}

void test_found_as_by_looking_plainly() {
    std::mt19937 random(3);
    for (int round = 0; round < 300; ++round) {
        std::vector<std::string> texts(1 + random() % 200);
        piece_table words;
        for (std::string & text : texts) {
            text = random() % 10 ? random_text(8, random) : "";
            words.add(text, false);
        }
        std::vector<std::string> breakers(random() % 6);
        for (std::string & breaker : breakers) {
            breaker = random_text(random() % 4 ? 4 : 30, random);
        }
        std::multiset<std::string> asked;
        const dry_breakers found = find_breakers(words, breakers, [&](const std::string & text) {
            asked.insert(text);
            return letters(text);
        });
        for (token id = 0; id < words.n_tokens(); ++id) {
            std::set<std::vector<token>> tails;
            if (found.alone[static_cast<size_t>(id)]) {
                tails.insert(std::vector<token>());
            }
            const auto ends = found.ends.find(id);
            for (size_t i = 0; ends != found.ends.end() && i < ends->second.size(); ++i) {
                tails.insert(found.tails[static_cast<size_t>(ends->second[i])]);
            }
            CHECK(tails == plainly(texts[static_cast<size_t>(id)], breakers));
        }
        for (const std::string & text : asked) {
            CHECK(asked.count(text) <= breakers.size());
        }
    }
}

void test_a_tail_of_no_tokens_is_none() {
    piece_table words;
    words.add("xa", false);
    const dry_breakers found =
        find_breakers(words, {"ab"}, [](const std::string &) { return std::vector<token>(); });
    CHECK(found.alone[0] == 1 && found.ends.empty());
}

}  // namespace

int main() {
    test_found_as_by_looking_plainly();
    test_a_tail_of_no_tokens_is_none();
    CHECK_DONE();
}
