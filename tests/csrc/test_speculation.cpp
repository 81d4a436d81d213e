// What is guessed, how far guesses are trusted, and when they pay: without an engine.
#include "check.h"

#include "speculation/draft_plan.h"
#include "speculation/drafter.h"
#include "speculation/ngram_index.h"

#include <algorithm>
#include <random>
#include <vector>

namespace {

using namespace jan;

// The longest earlier run that the text ends with, looked for in the plainest way.
int longest_alike(const std::vector<token> & text, int next) {
    int n = 0;
    const auto end = static_cast<int>(text.size());
    while (n < next && text[static_cast<size_t>(next - n - 1)] == text[static_cast<size_t>(end - n - 1)]) {
        ++n;
    }
    return n;
}

void test_the_index_says_only_what_is_true() {
    std::mt19937 random(1);
    for (int round = 0; round < 200; ++round) {
        ngram_index index(round % 2 ? 4 : 4000);  // of a small table most places are forgotten
        std::vector<token> text;
        int n_found = 0;
        for (int i = 0; i < 300; ++i) {
            const auto copied = text.size() > 50 ? text[text.size() - 37] : 0;
            text.push_back(random() % 4 && text.size() > 50 ? copied : static_cast<token>(random() % 50));
            if (random() % 3) {
                continue;  // several at a time
            }
            index.see(text);
            if (index.n_alike() == 0) {
                continue;
            }
            ++n_found;
            CHECK(index.n_alike() >= ngram_index::n_equal);
            CHECK(index.next() < static_cast<int>(text.size()));
            CHECK(longest_alike(text, index.next()) >= index.n_alike());
        }
        CHECK(n_found > 10);
    }
}

void test_the_last_place_is_found_and_followed() {
    ngram_index index(100);
    std::vector<token> text = {1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3};
    index.see(text);
    CHECK(index.n_alike() == 3 && index.next() == 3);
    std::vector<token> guess;
    index.continue_with(text, 4, guess);
    CHECK((guess == std::vector<token>{4, 5, 6, 7}));
    text.push_back(4);
    index.see(text);
    CHECK(index.n_alike() == 4 && index.next() == 4);
    text.push_back(6);
    index.see(text);
    CHECK(index.n_alike() == 0);
    // A text that goes round goes round again, past its own end.
    text = {7, 8, 9, 7, 8, 9};
    ngram_index round(100);
    round.see(text);
    guess.clear();
    round.continue_with(text, 8, guess);
    CHECK((guess == std::vector<token>{7, 8, 9, 7, 8, 9, 7, 8}));
    round.forget();
    CHECK(round.n_alike() == 0);
}

double chance(const drafter & of, int n) {
    std::vector<double> all;
    of.chances(n, all);
    return all.back();
}

void test_guesses_are_trusted_by_what_came_of_them() {
    drafter guesses(100);
    std::vector<token> text = {1, 2, 3, 4, 5, 6, 7, 1, 2, 3};
    CHECK(guesses.look(text));
    const double before = chance(guesses, 1);
    CHECK(chance(guesses, 3) < chance(guesses, 2));
    for (int i = 0; i < 30; ++i) {
        guesses.learn(4, 0);
    }
    const double bad = chance(guesses, 1);
    CHECK(bad < 0.25);
    for (int i = 0; i < 500; ++i) {  // in time it may be tried again
        guesses.rest();
    }
    CHECK(chance(guesses, 1) > 0.9 * before);
    for (int i = 0; i < 30; ++i) {
        guesses.learn(2, 2);
    }
    CHECK(chance(guesses, 1) > 0.9);
}

// A step over a machine on which a pass costs as much as `cheap` rows more than its rows.
struct machine {
    double cheap;
    double operator()(const std::vector<int> & n_guesses) const {
        double rows = cheap;
        for (const int n : n_guesses) {
            rows += 1 + n;
        }
        return rows;
    }
};

std::vector<int> chosen(const std::vector<std::vector<double>> & chances, const machine & on,
                        draft_plan::bounds within) {
    draft_plan plan;
    plan.clear();
    for (const auto & of_one : chances) {
        plan.add() = of_one;
    }
    return plan.choose(within, on);
}

void test_rows_go_where_they_pay() {
    draft_plan::bounds roomy;
    roomy.n_rows = 48;
    roomy.worst_steps = 100;
    const std::vector<double> sure(20, 0.99);
    const std::vector<double> doubtful(20, 0.3);
    CHECK(chosen({sure}, {20}, roomy)[0] == 15);      // the next size that kernels like is 23
    CHECK(chosen({doubtful}, {0.5}, roomy)[0] == 0);  // rows cost nearly what passes cost
    CHECK(chosen({doubtful}, {20}, roomy)[0] == 15);
    CHECK((chosen({sure, {}}, {3}, roomy) == std::vector<int>{0, 0}));  // the other would wait too long
    CHECK((chosen({sure, sure}, {3}, roomy) == std::vector<int>{15, 15}));
    const std::vector<double> wild(20, 0.05);
    CHECK((chosen({std::vector<double>(2, 0.9), wild}, {10}, roomy) == std::vector<int>{2, 0}));
    // Sixteen at once have nothing to gain from rows that cost as much as theirs.
    const std::vector<std::vector<double>> many(16, std::vector<double>(8, 0.8));
    CHECK(chosen(many, {1}, roomy) == std::vector<int>(16, 0));
    draft_plan::bounds tight = roomy;
    tight.n_rows = 12;
    tight.worst_steps = 3;
    CHECK(chosen({sure}, {20}, tight)[0] == 0);  // whoever asks names no more than fit
    draft_plan::bounds poor = roomy;
    poor.worst_steps = 0.1;
    CHECK(chosen({sure}, {20}, poor)[0] == 0);
}

void test_what_seems_dear_is_tried_while_the_purse_is_full() {
    draft_plan::bounds within;
    within.n_rows = 48;
    within.worst_steps = 6;
    const std::vector<double> sure(20, 0.99);
    CHECK(chosen({sure}, {-0.5}, within)[0] == 3);  // every row costs two steps
    CHECK(chosen({std::vector<double>(20, 0.7)}, {-0.5}, within)[0] == 0);
    CHECK((chosen({sure, sure, sure, sure}, {-0.5}, within) == std::vector<int>{0, 0, 0, 0}));
    within.worst_steps = 3.9;
    CHECK(chosen({sure}, {-0.5}, within)[0] == 0);
}

void test_all_guess_alike_where_a_pass_takes_only_equals() {
    draft_plan::bounds within;
    within.n_rows = 48;
    within.worst_steps = 100;
    within.most_level = 5;
    // Unequal ones cost a pass each.
    const auto apart = [](const std::vector<int> & n) {
        double rows = 0;
        for (size_t i = 0; i < n.size(); ++i) {
            rows += (i == 0 || n[i] != n[i - 1] ? 10 : 0) + 1 + n[i];
        }
        return rows;
    };
    draft_plan plan;
    plan.clear();
    plan.add() = std::vector<double>(6, 0.9);
    plan.add() = std::vector<double>(4, 0.9);
    CHECK((plan.choose(within, apart) == std::vector<int>{4, 4}));
}

void test_the_purse_bounds_what_is_lost() {
    draft_purse purse;
    double lost = 0;
    double time = 0;
    while (time < 10000) {  // guesses that look good and never are
        if (purse.steps() > 0.5) {
            purse.step_with(0.5, 0, 1);
            lost += 0.5;
            time += 1.5;
        } else {
            purse.step_without();
            time += 1;
        }
    }
    CHECK(lost < 5 + 0.01 * time);
    draft_purse rich;
    for (int i = 0; i < 100; ++i) {
        rich.step_with(1, 8, 1);
    }
    CHECK(rich.steps() <= 32);
}

}  // namespace

int main() {
    test_the_index_says_only_what_is_true();
    test_the_last_place_is_found_and_followed();
    test_guesses_are_trusted_by_what_came_of_them();
    test_rows_go_where_they_pay();
    test_what_seems_dear_is_tried_while_the_purse_is_full();
    test_all_guess_alike_where_a_pass_takes_only_equals();
    test_the_purse_bounds_what_is_lost();
    CHECK_DONE();
}
