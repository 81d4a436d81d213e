// sample_schemas N < SCHEMAS: for each schema, one a line, how many texts of its grammar follow or -1 and why
// it is none; then what the grammar does not hold, a line each; then the texts. tests/engine reads it.
#include "constraint/gbnf.h"
#include "constraint/grammar_automaton.h"
#include "error.h"
#include "json_schema.h"

#include <cstdlib>
#include <iostream>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace {

using namespace jan;

class sampler_of_texts {
  public:
    explicit sampler_of_texts(const std::string & gbnf)
        : automaton_(std::make_shared<grammar_program>(
                         read_gbnf(gbnf, "root", [](std::string_view) { return -1; }), grammar_limits{}),
                     no_words()) {}

    // "" when it came to no end. What closes something comes the more often the longer the text is.
    std::string text(std::mt19937 & random) {
        std::string made;
        int32_t state = automaton_.start();
        while (made.size() < 3000) {
            if (automaton_.final(state) || (automaton_.complete(state) && random() % 4 == 0)) {
                return made;
            }
            std::vector<std::pair<char, int32_t>> ways;
            size_t n_closing = 0;
            for (int byte = 0; byte < 256; ++byte) {
                const char c = static_cast<char>(byte);
                const int32_t to = automaton_.after(state, std::string_view(&c, 1));
                if (to == grammar_automaton::dead) {
                    continue;
                }
                ways.emplace_back(c, to);
                if (c == '"' || c == ']' || c == '}') {
                    std::swap(ways[n_closing++], ways.back());
                }
            }
            if (ways.empty()) {
                return automaton_.complete(state) ? made : "no way on from: " + made;
            }
            const bool close = n_closing > 0 && random() % 1000 < 150 + made.size();
            const auto & [c, to] = ways[random() % (close ? n_closing : ways.size())];
            made += c;
            state = to;
        }
        return "";
    }

  private:
    static std::shared_ptr<const token_trie> no_words() {
        piece_table table;
        table.add("x", false);
        return std::make_shared<const token_trie>(table);
    }

    grammar_automaton automaton_;
};

}  // namespace

int main(int argc, char ** argv) {
    const int n = argc > 1 ? std::atoi(argv[1]) : 10;
    std::mt19937 random(1);
    for (std::string line; std::getline(std::cin, line);) {
        try {
            const schema_grammar made = json_schema_to_gbnf(line);
            sampler_of_texts sampler(made.text);
            std::vector<std::string> texts;
            for (int i = 0; i < n; ++i) {
                const std::string text = sampler.text(random);
                if (!text.empty()) {
                    texts.push_back(text);
                }
            }
            std::cout << texts.size() << ' ' << made.unheld.size() << '\n';
            for (const std::string & one : made.unheld) {
                std::cout << one << '\n';
            }
            for (const std::string & text : texts) {  // a line break is no part of a string
                for (const char c : text) {
                    std::cout << (c == '\n' ? ' ' : c);
                }
                std::cout << '\n';
            }
        } catch (const error & e) {
            std::cout << "-1 1\n" << e.message << '\n';
        }
    }
}
