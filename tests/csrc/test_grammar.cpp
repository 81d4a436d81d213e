// Grammars as such: what is read, what is refused, what matches. Against llama.cpp's own reading
// of them: check_upstream_grammar.
#include "check.h"

#include "constraint/constraint.h"
#include "constraint/gbnf.h"
#include "constraint/grammar_cache.h"
#include "constraint/regex_grammar.h"
#include "error.h"

#include <chrono>
#include <cmath>
#include <string>

namespace {

using namespace jan;

// Every byte is a token, and so are some words; the last two tokens end the text and are special.
std::shared_ptr<const piece_table> bytes_and_words() {
    auto table = std::make_shared<piece_table>();
    for (int i = 0; i < 256; ++i) {
        table->add(std::string(1, static_cast<char>(i)), false);
    }
    for (const char * word : {"true", "false", "null", "{\"", "\":", "aa", "ab", "\xC3\xA9", "\xC3", "  "}) {
        table->add(word, false);
    }
    table->add("", true, "<end>");
    table->add("", false, "<call>");
    return table;
}

const std::shared_ptr<const piece_table> pieces = bytes_and_words();
const token end_token = pieces->find_special("<end>");
const token call_token = pieces->find_special("<call>");

std::string refusal(const std::function<void()> & act) {
    try {
        act();
    } catch (const error & e) {
        return e.code == errc::invalid_argument ? e.message : "another code";
    }
    return "";
}

std::string gbnf_refusal(const std::string & text) {
    return refusal([&] {
        grammar_cache cache(pieces);
        cache.gbnf(text);
    });
}

bool begins(const std::string & text, const char * with) { return text.rfind(with, 0) == 0; }

enum class verdict { no, partly, whole };

verdict match(const grammar_cache::result & g, const std::string & text) {
    const auto automaton = g->automaton();
    const int32_t state = automaton->after(automaton->start(), text);
    return state == grammar_automaton::dead ? verdict::no
           : automaton->complete(state)     ? verdict::whole
                                            : verdict::partly;
}

verdict gbnf(const std::string & text, const std::string & input) {
    grammar_cache cache(pieces);
    return match(cache.gbnf(text), input);
}

verdict regex(const std::string & pattern, const std::string & input) {
    grammar_cache cache(pieces);
    return match(cache.regex(pattern), input);
}

void test_gbnf() {
    CHECK(gbnf("root ::= \"a\" \"b\"", "ab") == verdict::whole);
    CHECK(gbnf("root ::= \"a\" \"b\"", "a") == verdict::partly);
    CHECK(gbnf("root ::= \"a\" \"b\"", "b") == verdict::no);
    CHECK(gbnf("root ::= \"ab\"*", "ababab") == verdict::whole);
    CHECK(gbnf("root ::= \"ab\"*", "aba") == verdict::partly);
    CHECK(gbnf("root ::= \"a\" | \"b\" x\nx ::= [0-9]{2,3}", "b12") == verdict::whole);
    CHECK(gbnf("root ::= \"a\" | \"b\" x\nx ::= [0-9]{2,3}", "b1") == verdict::partly);
    CHECK(gbnf("root ::= \"a\" | \"b\" x\nx ::= [0-9]{2,3}", "b1234") == verdict::no);
    CHECK(gbnf("root ::= x{2,}\nx ::= \"a\"", "a") == verdict::partly);
    CHECK(gbnf("root ::= x{2,}\nx ::= \"a\"", "aaaaa") == verdict::whole);
    CHECK(gbnf("root ::= x{3}\nx ::= \"a\"", "aaaa") == verdict::no);
    CHECK(gbnf("root ::= \"x\" \"a\"{0}", "xa") == verdict::no);
    CHECK(gbnf("root ::= (\n \"a\" # first\n | \"b\"\n)+ \"c\"?", "abba") == verdict::whole);
    CHECK(gbnf("root ::= [^\"\\\\\\x00-\\x1F]+", "h\xC3\xA9llo \xF0\x9F\x98\x80") == verdict::whole);
    CHECK(gbnf("root ::= [^\"\\\\]+", "a\"") == verdict::no);
    CHECK(gbnf("root ::= [a-c\\-\\]]+", "a-]b") == verdict::whole);
    CHECK(gbnf("root ::= [\xC3\xA0-\xC3\xBF]", "\xC3\xA9") == verdict::whole);
    CHECK(gbnf("root ::= [\\u00e0-\\u4e00]", "\xE3\x81\x82") == verdict::whole);
    CHECK(gbnf("root ::= .", "\xC3") == verdict::partly);
    CHECK(gbnf("root ::= .", "\x80") == verdict::no);
    CHECK(gbnf("root ::= .", "\xED\xA0\x80") == verdict::no);  // half a surrogate pair
    CHECK(gbnf("root ::= \"(\" root? \")\"", "((()))") == verdict::whole);
    CHECK(gbnf("root ::= \"(\" root? \")\"", std::string(5000, '(')) == verdict::partly);
    CHECK(gbnf("root ::= ((\"a\"?)*)*  \"b\"", "aaab") == verdict::whole);
    CHECK(gbnf("root ::= (x+)+ \"b\"\nx ::= \"a\"", std::string(3000, 'a') + "b") == verdict::whole);
}

void test_gbnf_mistakes() {
    CHECK(begins(gbnf_refusal(""), "grammar: there is no rule root"));
    CHECK(begins(gbnf_refusal("root ::= \"a"), "grammar: line 1, column 12: "));
    CHECK(begins(gbnf_refusal("root ::= x"), "grammar: line 1, column 10: there is no rule x"));
    CHECK(begins(gbnf_refusal("root ::= \"a\"\n\nx = 3"), "grammar: line 3, column 3: ::= is missing"));
    CHECK(begins(gbnf_refusal("root ::= *"), "grammar: line 1, column 10: there is nothing before"));
    CHECK(begins(gbnf_refusal("root ::= \"\\q\""), "grammar: line 1, column 11: this escape"));
    CHECK(begins(gbnf_refusal("root ::= root \"a\" | \"b\""), "grammar: rule root begins with itself"));
    CHECK(begins(gbnf_refusal("root ::= \"a\"? x\nx ::= y?  \"b\"\ny ::= root"), "grammar: rule "));
    CHECK(begins(gbnf_refusal("root ::= \"a\"{3,2}"), "grammar: line 1"));
    CHECK(begins(gbnf_refusal("root ::= \"a\"{99999999999999999999}"), "grammar: line 1"));
    CHECK(begins(gbnf_refusal("root ::= \"a\" ]"), "grammar: line 1, column 14"));
    CHECK(begins(gbnf_refusal("root ::= <nothing>"), "grammar: line 1, column 10: <nothing> is not one"));
    CHECK(begins(gbnf_refusal("root ::= \"\""), "grammar: it allows no text"));
    CHECK(begins(gbnf_refusal("root ::= []"), "grammar: it allows no text"));
    CHECK(begins(gbnf_refusal(std::string("root ::= \0", 10)), "grammar: has a zero byte"));
    CHECK(begins(gbnf_refusal("root ::= " + std::string(30000, '(')), "grammar: line 1, column "));
    CHECK(begins(gbnf_refusal(std::string(5 << 20, 'x')), "grammar: longer than"));
}

// Nothing takes long, whatever it is.
void test_bombs() {
    const auto start = std::chrono::steady_clock::now();
    std::string doubling = "root ::= x0 \"z\"\n";
    for (int i = 0; i < 60; ++i) {
        doubling += "x" + std::to_string(i) + " ::= x" + std::to_string(i + 1) + "? x" +
                    std::to_string(i + 1) + "?\n";
    }
    doubling += "x60 ::= \"a\"\n";
    CHECK(begins(gbnf_refusal(doubling), "grammar: it can be read in too many ways"));
    CHECK(begins(gbnf_refusal("root ::= ((\"a\"?){0,60000}){0,60000} \"b\""), "grammar: "));
    std::string chain = "root ::= r0\n";
    for (int i = 0; i < 100'000; ++i) {
        chain += "r" + std::to_string(i) + " ::= r" + std::to_string(i + 1) + " \"a\"\n";
    }
    chain += "r100000 ::= \"b\"\n";
    CHECK(begins(gbnf_refusal(chain), "grammar: it can be read in too many ways"));
    CHECK(gbnf_refusal("root ::= (((\"abc\"){60000}){60000}){60000}").empty());
    CHECK(gbnf("root ::= (\"a\" | \"a\" | \"aa\")+ \"b\"", std::string(2000, 'a') + "b") == verdict::whole);
    CHECK(regex("(a+)+b", std::string(5000, 'a') + "b") == verdict::whole);
    CHECK(regex("(a|a|aa)*b", std::string(5000, 'a')) == verdict::partly);
    CHECK(begins(refusal([] { regex(std::string(30000, '('), ""); }), "regex: at "));
    const double took = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    CHECK(took < 60);  // sanitizers and busy machines included; what must not be is minutes
}

void test_regex() {
    CHECK(regex("a|bc", "bc") == verdict::whole);
    CHECK(regex("^a.c$", "abc") == verdict::whole);
    CHECK(regex("a.c", "a\nc") == verdict::no);
    CHECK(regex("[0-9]{3}-\\d{2,}", "123-45678") == verdict::whole);
    CHECK(regex("[^a-c]+", "xyz") == verdict::whole);
    CHECK(regex("[^a-c]+", "b") == verdict::no);
    CHECK(regex("[]a]+", "]a") == verdict::whole);
    CHECK(regex("\\w+@\\w+\\.com", "jan_1@x.com") == verdict::whole);
    CHECK(regex("(?:ab)+?c?", "abab") == verdict::whole);
    CHECK(regex("(?P<y>\\d{4})", "2026") == verdict::whole);
    CHECK(regex("a{,2}b", "aab") == verdict::whole);
    CHECK(regex("a{x}", "a{x}") == verdict::whole);
    CHECK(regex("\\x41\\u00e9", "A\xC3\xA9") == verdict::whole);
    const auto refused = [](const char * pattern) { return refusal([&] { regex(pattern, ""); }); };
    for (const char * pattern : {"(?=a)b", "(?!a)b", "(?<=a)b", "\\bx", "(a)\\1", "a**", "*a", "a)", "(a",
                                 "[a", "a++", "[z-a]", "\\", "x{3,1}", "a^b", "a$b", "(?i)a", "a{70000}"}) {
        CHECK(begins(refused(pattern), "regex: at "));
    }
    CHECK(begins(refused(""), "grammar: it allows no text"));
}

void test_choices() {
    grammar_cache cache(pieces);
    const auto g = cache.choices({"yes", "yesterday", "no"});
    CHECK(match(g, "yes") == verdict::whole);
    CHECK(match(g, "yest") == verdict::partly);
    CHECK(match(g, "nope") == verdict::no);
    CHECK(begins(refusal([&] { cache.choices({}); }), "choices: "));
    CHECK(begins(refusal([&] { cache.choices({"a", ""}); }), "choices: "));
}

// A mask says of every token what asking for that token says.
void test_masks() {
    grammar_cache cache(pieces);
    const std::string json =
        "root ::= \"{\" pair (\",\" pair)* \"}\"\npair ::= s \":\" (s | \"true\" | [0-9]+ | root)\n"
        "s ::= \"\\\"\" [^\"\\\\\\x00-\\x1F]* \"\\\"\"";
    auto params = std::make_shared<constraint_params>();
    params->grammar = cache.gbnf(json);
    constraint held(params, *pieces, {});
    for (const char c : std::string("{\"ab\":{\"x\":12},\"\xC3\xA9")) {
        const auto mask = held.allowed();
        for (token id = 0; id < pieces->n_tokens(); ++id) {
            CHECK(mask->allows(id) == held.allows(id));
        }
        CHECK(!mask->allows(end_token) && !mask->allows(call_token));
        CHECK(held.allows(static_cast<unsigned char>(c)));
        held.accept(static_cast<unsigned char>(c));
    }
    for (const char c : std::string("\":true}")) {
        CHECK(!held.finished());
        held.accept(c);
    }
    CHECK(held.finished() && held.allows(end_token));
    std::vector<float> row(static_cast<size_t>(pieces->n_tokens()), 1.0f);
    std::vector<float> masked(row.size());
    held.allowed()->apply(row.data(), masked.data());
    CHECK(masked[static_cast<size_t>(end_token)] == 1 && std::isinf(masked['a']));
}

void test_tokens_in_grammars() {
    grammar_cache cache(pieces);
    auto params = std::make_shared<constraint_params>();
    params->grammar = cache.gbnf("root ::= <call> !<[97]> \"x\"");
    constraint held(params, *pieces, {});
    CHECK(held.allows(call_token) && !held.allows('a'));
    CHECK(held.allowed()->allows(call_token) && !held.allowed()->allows('a'));
    held.accept(call_token);
    CHECK(!held.allows('a') && held.allows('b') && !held.allows(end_token));
    CHECK(!held.allowed()->allows('a') && held.allowed()->allows('b') && !held.allowed()->allows(end_token));
    held.accept(call_token);
    held.accept('x');
    CHECK(held.finished());
}

void test_lazy() {
    grammar_cache cache(pieces);
    auto params = std::make_shared<constraint_params>();
    params->grammar = cache.gbnf("root ::= \"<f>\" [0-9]+ \"</f>\"");
    params->lazy = true;
    params->begin.words = {"<f>"};
    constraint held(params, *pieces, {});
    for (const char c : std::string("any text < f <f")) {
        CHECK(held.allows(c));
        held.accept(c);
    }
    held.accept('>');
    CHECK(!held.allows('x') && held.allows('7') && !held.allows(end_token));
    CHECK(!held.allowed()->allows('x'));
    for (const char c : std::string("7</f>")) {
        held.accept(c);
    }
    CHECK(held.finished());

    // A token that would begin it wrongly is refused.
    params = std::make_shared<constraint_params>();
    params->grammar = cache.gbnf("root ::= \"aa\" [0-9]+");
    params->lazy = true;
    params->begin.words = {"a"};
    constraint strict(params, *pieces, {});
    CHECK(strict.allows('x'));
    CHECK(!strict.allows(pieces->find_special("ab")));
    CHECK(!strict.allowed()->allows(pieces->find_special("ab")) && strict.allowed()->allows('x'));
    CHECK(strict.allows(pieces->find_special("aa")));

    // By a token that is not shown, with its text in the grammar.
    params = std::make_shared<constraint_params>();
    params->grammar = cache.gbnf("root ::= \"<call>\" [0-9]");
    params->lazy = true;
    params->begin.tokens = {call_token};
    constraint called(params, *pieces, {call_token});
    called.accept('x');
    called.accept(call_token);
    CHECK(!called.allows('x') && called.allows('1'));

    // By a pattern: from its group on.
    params = std::make_shared<constraint_params>();
    params->grammar = cache.gbnf("root ::= \" to=\" [a-z]+ \"!\"");
    params->lazy = true;
    params->begin.patterns = {"start(\\s+to)"};
    constraint patterned(params, *pieces, {});
    for (const char c : std::string("zzz start to")) {
        patterned.accept(c);
    }
    CHECK(patterned.allows('=') && !patterned.allows('x'));
    CHECK(begins(refusal([] { jan::check(triggers{}); }), "triggers: "));
    CHECK(begins(refusal([] { jan::check(triggers{{}, {}, {"("}}); }), "triggers: "));
}

// A mask is there once it was wanted, and nothing is lost when the thread ends before that.
void test_masks_ahead() {
    grammar_cache cache(pieces);
    auto params = std::make_shared<constraint_params>();
    params->grammar = cache.gbnf("root ::= [a-z]+ [0-9]+");
    constraint held(params, *pieces, {});
    const auto automaton = params->grammar->automaton();
    const int32_t next = automaton->after(automaton->start(), "a");
    {
        mask_ahead ahead;
        held.accept('a');
        held.prepare(ahead);  // nobody asked for a mask so far
        CHECK(!automaton->has_mask(next));
        held.allowed();
        CHECK(automaton->has_mask(next));
        held.accept('b');
        held.accept('1');
        held.allowed();
        held.accept('2');
        held.prepare(ahead);
        ahead.want(automaton, automaton->after(automaton->start(), "a1"));
        while (!automaton->has_mask(automaton->after(automaton->start(), "a1"))) {
            std::this_thread::yield();
        }
        ahead.want(automaton, automaton->start());
    }
    CHECK(held.allowed()->allows('7') && !held.allowed()->allows('a'));
}

// What was remembered goes when it is too much, and the text goes on where it was.
void test_replacing() {
    const auto words = std::make_shared<token_trie>(*pieces);
    automaton_limits small;
    small.n_bytes = 20'000;
    auto params = std::make_shared<constraint_params>();
    params->grammar = std::make_shared<compiled_grammar>(
        read_gbnf("root ::= \"(\" root? \")\"", "root", [](std::string_view) { return -1; }), words,
        grammar_limits{}, small);
    const auto first = params->grammar->automaton();
    constraint held(params, *pieces, {});
    for (int i = 0; i < 1000; ++i) {
        CHECK(held.allows('('));
        held.accept('(');
    }
    CHECK(params->grammar->automaton() != first);
    for (int i = 0; i < 1000; ++i) {
        CHECK(!held.finished() && held.allows(')'));
        held.accept(')');
    }
    CHECK(held.finished());
}

void test_cache() {
    grammar_cache cache(pieces, 1 << 20);
    const auto a = cache.gbnf("root ::= \"a\"");
    CHECK(cache.gbnf("root ::= \"a\"") == a);
    CHECK(cache.regex("a") != a);
    CHECK(cache.n_compiled() == 2);
    for (int i = 0; i < 400; ++i) {
        cache.gbnf("root ::= \"a\" [0-9]{" + std::to_string(1000 + i) + "}");
    }
    CHECK(cache.n_bytes() < 3 << 20);
    CHECK(cache.gbnf("root ::= \"a\"") != a);
    CHECK(match(a, "a") == verdict::whole);
}

}  // namespace

int main() {
    test_gbnf();
    test_gbnf_mistakes();
    test_bombs();
    test_regex();
    test_choices();
    test_masks();
    test_tokens_in_grammars();
    test_lazy();
    test_masks_ahead();
    test_replacing();
    test_cache();
    CHECK_DONE();
}
