// Grammars that are small and expensive, in the whole engine but the model: whoever has one sits out the
// steps until it is known what may follow, and its text is what it would be alone.
#include "check.h"
#include "engine_script.h"

#include "constraint/gbnf.h"
#include "error.h"

#include <map>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace jan;
using namespace script;

// Where a text is in this after n characters are of the order of n * n places, and no other length
// shares them. No token of the vocabulary ends it.
constexpr const char * expensive = "root ::= [0-4A-W ]* \"2\" e \"x\"\n"
                                   "e ::= [0-4A-W] e | [0-4A-W] e [0-4A-W] | [0-4A-W] f\n"
                                   "f ::= [0-4A-W] f | [0-4A-W] f [0-4A-W] | \"\"\n";

null_options lanes(kv_mode mode, int n_lanes, int64_t n_cells) {
    null_options o;
    o.n_vocab = n_vocab;
    o.max_rows = 64;
    o.shape = {mode, n_lanes, n_cells, 400, true};
    return o;
}

request held_request(engine & e, std::mt19937 & random, bool within) {
    request r;
    for (int i = 0; i < 10; ++i) {
        r.prompt.push_back(static_cast<token>(random() % n_vocab));
    }
    r.max_tokens = 60;
    r.ignore_eos = true;
    if (within) {
        auto params = std::make_shared<constraint_params>();
        params->grammar = e.grammars().gbnf(expensive);
        r.constraint = params;
    }
    return r;
}

std::map<int, answer> run(kv_mode mode, int n_at_once, int64_t n_cells) {
    engine e(std::make_unique<null_forward>(lanes(mode, n_at_once, n_cells)), pieces(), tested());
    std::mt19937 random(7);
    std::map<uint64_t, answer> answers;
    std::map<int, answer> by_number;
    std::map<uint64_t, int> number;
    for (int i = 0; i < 9; ++i) {
        request r = held_request(e, random, i % 3 == 0);
        number[e.submit(std::move(r))] = i;
        if (n_at_once == 1) {
            read_until_ended(e, answers, number.size());
        }
    }
    read_until_ended(e, answers, number.size());
    for (const auto & [id, a] : answers) {
        by_number[number[id]] = a;
    }
    CHECK(e.stats().n_failed == 0);
    return by_number;
}

void test_texts_are_what_they_are_alone(kv_mode mode, int64_t n_cells) {
    const std::map<int, answer> alone = run(mode, 1, 400);
    const std::map<int, answer> together = run(mode, 9, n_cells);
    for (const auto & [i, a] : alone) {
        CHECK(a.tokens == together.at(i).tokens);
        CHECK(a.tokens.size() == 60);
        if (i % 3 == 0) {
            CHECK(a.text.find_first_not_of("01234ABCDEFGHIJKLMNOPQRSTUVW ") == std::string::npos);
        }
    }
}

// What a text may have worked out is counted to the place, and ends it alone.
void test_an_allowance_for_life() {
    grammar_cache cache(pieces());
    auto params = std::make_shared<constraint_params>();
    params->grammar = cache.gbnf(expensive);
    const auto table = pieces();
    size_t n_tokens[2] = {};
    for (int twice = 0; twice < 2; ++twice) {
        constraint held(params, *table, {}, twice == 0 ? 20'000 : 40'000);
        std::string why;
        try {
            for (; n_tokens[twice] < 1000; ++n_tokens[twice]) {
                while (!held.allowed(100)) {
                    CHECK(held.awaits_mask());
                }
                CHECK(!held.awaits_mask());
                held.accept(2);
            }
        } catch (const error & e) {
            why = e.message;
        }
        CHECK(why.find("takes too long") != std::string::npos);
        params->grammar = cache.gbnf(std::string(expensive) + "\n");  // nothing is remembered
    }
    CHECK(n_tokens[0] > 3 && n_tokens[1] > n_tokens[0]);
}

void test_pieces_make_the_whole() {
    const auto table = pieces();
    const auto words = std::make_shared<token_trie>(*table);
    const auto source = read_gbnf(expensive, "root", [](std::string_view) { return -1; });
    const auto program = std::make_shared<grammar_program>(source, grammar_limits{});
    grammar_automaton at_once(program, words);
    grammar_automaton in_pieces(program, words);
    const std::string text = "2" + std::string(25, 'A');
    const auto whole = at_once.mask(at_once.after(at_once.start(), text));
    const int32_t state = in_pieces.after(in_pieces.start(), text);
    size_t n_pieces = 0;
    std::shared_ptr<const token_mask> mask;
    for (; !mask; ++n_pieces) {
        mask_purse purse{60};
        mask = in_pieces.mask(state, purse);
        CHECK(purse.n_spent < 60 + 10'000);  // one step of a byte is not divided
        CHECK(in_pieces.has_mask(state) == (mask != nullptr));
    }
    CHECK(n_pieces > 2);
    for (token id = 0; id < n_vocab; ++id) {
        CHECK(mask->allows(id) == whole->allows(id));
    }
}

void test_one_mask_and_one_token_have_limits() {
    const auto table = pieces();
    const auto words = std::make_shared<token_trie>(*table);
    const auto source = read_gbnf(expensive, "root", [](std::string_view) { return -1; });
    const auto program = std::make_shared<grammar_program>(source, grammar_limits{});
    automaton_limits limits;
    limits.n_per_mask = 1000;
    limits.n_per_text = 2000;
    grammar_automaton automaton(program, words, limits);
    int32_t state = automaton.after(automaton.start(), "2");
    std::string why;
    try {
        for (;;) {
            mask_purse purse{100};
            while (!automaton.mask(state, purse)) {
                purse = {100};
            }
            state = automaton.after(state, "A");
        }
    } catch (const error & e) {
        why = e.message;
    }
    CHECK(why.find("too many ways") != std::string::npos);
    why.clear();
    try {
        automaton.after(automaton.start(), "2" + std::string(60, 'B'));
    } catch (const error & e) {
        why = e.message;
    }
    CHECK(why.find("too many ways") != std::string::npos);
}

}  // namespace

int main() {
    test_pieces_make_the_whole();
    test_one_mask_and_one_token_have_limits();
    test_an_allowance_for_life();
    test_texts_are_what_they_are_alone(kv_mode::unified, 4000);
    test_texts_are_what_they_are_alone(kv_mode::unified, 900);  // some give way
    test_texts_are_what_they_are_alone(kv_mode::streams, 3600);
    CHECK_DONE();
}
