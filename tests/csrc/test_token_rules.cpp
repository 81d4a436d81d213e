// Which tokens a request may have, beyond what its sampler says.
#include "check.h"

#include "error.h"
#include "token_rules.h"

#include <cmath>
#include <string>
#include <vector>

namespace {

using namespace jan;

constexpr int n_vocab = 6;

void take(token_ruler & ruler, token id) { ruler.accept(id, std::to_string(id)); }

// The tokens that may come next.
std::vector<token> left(const token_ruler & ruler, std::vector<float> row = {1, 2, 3, 4, 5, 6}) {
    std::vector<float> buffer;
    const float * ruled = ruler.rule(row.data(), n_vocab, buffer);
    std::vector<token> found;
    for (token id = 0; id < n_vocab; ++id) {
        if (ruled[id] > -INFINITY) {
            CHECK(ruled[id] == static_cast<float>(id + 1));
            found.push_back(id);
        }
    }
    return found;
}

void test_without_rules_the_row_is_as_it_was() {
    token_ruler ruler(nullptr);
    std::vector<float> row(n_vocab, 1), buffer;
    CHECK(ruler.rule(row.data(), n_vocab, buffer) == row.data());
    take(ruler, 1);
    CHECK(!ruler.ends(1));
    const token_rules none;
    CHECK(token_ruler(&none).rule(row.data(), n_vocab, buffer) == row.data());
}

void test_only_what_is_allowed_is_left() {
    token_rules rules;
    rules.allowed = {1, 4};
    CHECK((left(token_ruler(&rules)) == std::vector<token>{1, 4}));
    CHECK((left(token_ruler(&rules), {1, -INFINITY, 3, 4, 5, 6}) == std::vector<token>{4}));
}

void test_the_last_of_a_sequence_never_comes_after_the_others() {
    token_rules rules;
    rules.banned = {{5}, {1, 2, 3}, {2, 0}};
    token_ruler ruler(&rules);
    CHECK((left(ruler) == std::vector<token>{0, 1, 2, 3, 4}));
    take(ruler, 1);
    take(ruler, 2);
    CHECK((left(ruler) == std::vector<token>{1, 2, 4}));
    take(ruler, 4);
    CHECK((left(ruler) == std::vector<token>{0, 1, 2, 3, 4}));
}

void test_ends_wait_for_the_least_length() {
    token_rules rules;
    rules.ends = {3};
    rules.min_tokens = 1;
    token_ruler ruler(&rules);
    CHECK(ruler.ends(3) && !ruler.ends(2));
    CHECK((left(ruler) == std::vector<token>{0, 1, 2, 4, 5}));
    take(ruler, 0);
    CHECK(left(ruler).size() == n_vocab);
}

// Written as digits; a thought begins with 11 and ends with 22 or 5.
token_rules thinking(int most, bool begun) {
    token_rules rules;
    rules.thought = {most, begun, "11", {"22", "5"}, {2, 2}};
    return rules;
}

void test_a_thought_that_is_too_long_is_ended() {
    const token_rules rules = thinking(2, true);
    token_ruler ruler(&rules);
    take(ruler, 0);
    CHECK(left(ruler).size() == n_vocab);
    take(ruler, 0);
    CHECK((left(ruler) == std::vector<token>{2}));
    CHECK(left(ruler, {1, 2, -INFINITY, 4, 5, 6}).size() == n_vocab - 1);  // a constraint knows better
    take(ruler, 2);
    CHECK((left(ruler) == std::vector<token>{2}));
    take(ruler, 2);
    CHECK(left(ruler).size() == n_vocab);
    for (int i = 0; i < 9; ++i) {
        take(ruler, 0);
        CHECK(left(ruler).size() == n_vocab);
    }
}

void test_a_thought_counts_from_its_beginning_to_its_end() {
    const token_rules rules = thinking(2, false);
    token_ruler ruler(&rules);
    for (const token id : {0, 0, 0, 1, 1, 0, 5, 0, 0, 0, 1, 0, 0, 0}) {
        CHECK(left(ruler).size() == n_vocab);
        take(ruler, id);
    }
    for (const token id : {1, 1, 0, 0}) {
        take(ruler, id);
    }
    CHECK((left(ruler) == std::vector<token>{2}));
}

void test_what_cannot_be_is_refused() {
    const auto refused = [](const token_rules & rules) {
        try {
            jan::check(rules, n_vocab);
        } catch (const error & found) {
            return found.message.substr(0, found.message.find(':'));
        }
        return std::string();
    };
    token_rules rules;
    CHECK(refused(rules).empty());
    rules.allowed = {6};
    CHECK(refused(rules) == "allowed_token_ids");
    rules = {};
    rules.banned = {{}};
    CHECK(refused(rules) == "bad_words");
    rules = {};
    rules.ends = {-1};
    CHECK(refused(rules) == "stop_token_ids");
    rules = {};
    rules.thought.most = 3;
    CHECK(refused(rules) == "thought");
}

}  // namespace

int main() {
    test_without_rules_the_row_is_as_it_was();
    test_only_what_is_allowed_is_left();
    test_the_last_of_a_sequence_never_comes_after_the_others();
    test_ends_wait_for_the_least_length();
    test_a_thought_that_is_too_long_is_ended();
    test_a_thought_counts_from_its_beginning_to_its_end();
    test_what_cannot_be_is_refused();
    CHECK_DONE();
}
