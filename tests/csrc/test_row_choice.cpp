// What is drawn depends on the request alone: not on the threads that share the rows, not on who
// else is there, not on what was guessed ahead.
#include "check.h"

#include "engine.h"
#include "null_forward.h"

#include <algorithm>
#include <map>

namespace {

using namespace jan;

std::shared_ptr<const piece_table> pieces(int n_vocab) {
    auto table = std::make_shared<piece_table>();
    for (int i = 0; i < n_vocab; ++i) {
        table->add(std::string(1, static_cast<char>('a' + i % 26)), false);
    }
    return table;
}

request asked(int i) {
    request r;
    r.prompt = {1, 2, 3, i};
    r.max_tokens = i == 5 ? 0 : 30;
    r.n_top = i % 3 - 1;
    r.logprobs_of_left = i % 2;
    sampling_params p;
    p.seed = static_cast<uint32_t>(i);
    p.temperature = 2;
    p.top_k = i % 4 ? 40 : 0;
    p.repeat_penalty = 1.1f;
    p.dry_multiplier = i % 5 ? 0 : 1;
    p.dry_sequence_breakers.clear();
    r.sampling = i % 7 ? std::make_shared<sampling_params>(p) : nullptr;
    return r;
}

// The tokens of each of n requests, which all run at once.
std::vector<std::vector<token>> texts(int n, int first, int n_threads) {
    null_options model;
    model.shape = {kv_mode::streams, 32, 32 * 256, 256, true};
    model.n_vocab = 500;
    engine_options options;
    options.n_row_threads = n_threads;
    options.calibrate_s = 0;
    options.check_integrity = true;
    engine e(std::make_unique<null_forward>(model), pieces(model.n_vocab), options);
    std::map<uint64_t, size_t> places;
    std::vector<std::vector<token>> found(static_cast<size_t>(n));
    for (int i = 0; i < n; ++i) {
        places[e.submit(asked(first + i))] = static_cast<size_t>(i);
    }
    event_batch batch;
    for (size_t n_ended = 0; n_ended < found.size() && e.take(batch, 10);) {
        for (const event & told : batch.events) {
            std::vector<token> & text = found[places[told.request]];
            const token * from = batch.tokens.data() + told.tokens.from;
            text.insert(text.end(), from, from + told.tokens.n);
            const request r = asked(first + static_cast<int>(places[told.request]));
            CHECK(told.logprobs.n == told.tokens.n * static_cast<uint32_t>(r.n_top + 1));
        }
        n_ended += batch.endings.size();
    }
    return found;
}

void test_neither_threads_nor_company_change_a_text() {
    constexpr int n = 40;
    const auto together = texts(n, 0, 1);
    CHECK(texts(n, 0, 4) == together);
    for (int i = 0; i < n; ++i) {
        CHECK(texts(1, i, 2)[0] == together[static_cast<size_t>(i)]);
        CHECK(together[static_cast<size_t>(i)].size() == (i == 5 ? 0u : 30u));
    }
}

void test_a_combination_that_needs_upstream_is_refused_without_it() {
    null_options model;
    model.shape = {kv_mode::streams, 4, 1024, 256, true};
    engine e(std::make_unique<null_forward>(model), pieces(model.n_vocab), engine_options());
    sampling_params p;
    p.mirostat = 2;
    request r = asked(1);
    r.sampling = std::make_shared<sampling_params>(p);
    errc code = errc::internal;
    try {
        e.submit(r);
    } catch (const error & refused) {
        code = refused.code;
    }
    CHECK(code == errc::unsupported_feature);
}

// Counts who looks for sequence breakers; it finds none.
class counting_source final : public token_chain_source {
  public:
    explicit counting_source(std::vector<token> suppressed = {}) : suppressed_(std::move(suppressed)) {}

    std::vector<token> suppressed() const override { return suppressed_; }
    std::shared_ptr<const dry_breakers> breakers(const std::vector<std::string> &) const override {
        ++n_searches;
        return nullptr;
    }
    std::unique_ptr<token_chain> open(const sampling_params &) const override { return nullptr; }

    static inline std::atomic<int> n_searches{0};

  private:
    const std::vector<token> suppressed_;
};

void test_no_sampler_is_made_for_whom_there_is_no_place() {
    null_options model;
    model.shape = {kv_mode::streams, 1, 256, 256, true};
    model.pass_s = 0.01;
    engine_options options;
    options.max_waiting = 1;
    options.calibrate_s = 0;
    engine e(std::make_unique<null_forward>(model), pieces(model.n_vocab), options,
             std::make_unique<counting_source>());
    const auto code_of = [&e](const request & r) {
        try {
            e.submit(r);
        } catch (const error & refused) {
            return refused.code;
        }
        return errc::internal;
    };
    sampling_params p;
    p.dry_multiplier = 1;
    request r;
    r.prompt = {1};
    sampling_params wrong;
    wrong.top_p = 2;
    r.sampling = std::make_shared<sampling_params>(wrong);
    for (int i = 0; i < 5; ++i) {
        CHECK(code_of(r) == errc::invalid_argument);  // and takes nobody's place
    }
    r.sampling = std::make_shared<sampling_params>(p);
    r.ignore_eos = true;
    e.submit(r);
    e.submit(r);
    CHECK(counting_source::n_searches == 2);
    CHECK(code_of(r) == errc::queue_full);
    CHECK(counting_source::n_searches == 2);
}

void test_suppressed_tokens_do_not_come_without_sampling_either() {
    null_options model;
    model.shape = {kv_mode::streams, 1, 256, 256, true};
    model.n_vocab = 8;
    engine_options options;
    options.calibrate_s = 0;
    const std::vector<token> suppressed = {1, 3, 4, 6};
    engine e(std::make_unique<null_forward>(model), pieces(model.n_vocab), options,
             std::make_unique<counting_source>(suppressed));
    sampling_params cold;
    cold.temperature = 0;
    std::vector<std::vector<token>> made;
    for (const bool samples : {false, true}) {
        request r;
        r.prompt = {1, 2};
        r.max_tokens = 60;
        r.sampling = samples ? std::make_shared<sampling_params>(cold) : nullptr;
        e.submit(r);
        std::vector<token> & text = made.emplace_back();
        event_batch batch;
        for (bool ended = false; !ended && e.take(batch, 10); ended = !batch.endings.empty()) {
            text.insert(text.end(), batch.tokens.begin(), batch.tokens.end());
        }
    }
    CHECK(made[0].size() == 60 && made[0] == made[1]);
    for (const token id : suppressed) {
        CHECK(std::count(made[0].begin(), made[0].end(), id) == 0);
    }
}

// The rows of one sequence's slice: those after the first were computed from guesses.
struct guessing {
    explicit guessing(std::shared_ptr<const sampling_params> how, const row_choice & choice, int n_top) {
        request r;
        r.prompt = {1, 2, 3};
        r.n_top = n_top;
        r.sampling = std::move(how);
        auto chooser = choice.make_sampler(r);
        s = std::make_unique<sequence>(std::move(r), 0, std::move(chooser));
        s->lane = 0;
    }

    // What comes when `drafts` are guessed after the tokens there are.
    std::vector<token> guess(row_choice & choice, null_forward & through, std::vector<token> drafts) {
        s->drafts = std::move(drafts);
        const int n_drafts = static_cast<int>(s->drafts.size());
        const slice all{s.get(), s->n_left() + n_drafts, 1 + n_drafts};
        CHECK(through.run(&all, 1) == pass_status::done);
        choice.choose(through, &all, 1);
        s->n_computed = static_cast<int>(s->tokens.size());
        s->n_computed += static_cast<int>(s->chosen.size()) - 1;
        through.apply({lane_change::kind::trim, 0, -1, s->n_computed, 0});
        s->tokens.insert(s->tokens.end(), s->chosen.begin(), s->chosen.end());
        return s->chosen;
    }

    std::unique_ptr<sequence> s;
};

void test_rows_are_chosen_from_until_a_guess_was_wrong(bool samples) {
    null_options model;
    model.shape = {kv_mode::streams, 1, 256, 256, true};
    row_choice choice(*pieces(model.n_vocab), 256, nullptr, 2);
    std::shared_ptr<sampling_params> how;
    if (samples) {
        how = std::make_shared<sampling_params>();
        how->seed = 5;
        how->repeat_penalty = 1.1f;
    }
    std::vector<token> text;
    std::vector<token_logprob> logprobs;
    for (const bool guesses : {false, true}) {
        null_forward through(model);
        guessing one(how, choice, 2);
        if (!guesses) {
            while (text.size() < 20) {
                text.push_back(one.guess(choice, through, {}).at(0));
            }
            logprobs = one.s->logprobs;
            continue;
        }
        const auto of_text = [&](size_t from, size_t to) {
            return std::vector<token>(text.begin() + static_cast<std::ptrdiff_t>(from),
                                      text.begin() + static_cast<std::ptrdiff_t>(to));
        };
        CHECK(one.guess(choice, through, of_text(0, 4)) == of_text(0, 5));  // all right
        auto drafts = of_text(5, 10);
        drafts[2] = (drafts[2] + 1) % model.n_vocab;
        CHECK(one.guess(choice, through, drafts) == of_text(5, 8));  // the third is wrong
        drafts = of_text(8, 10);
        drafts[0] = (drafts[0] + 1) % model.n_vocab;
        CHECK(one.guess(choice, through, drafts) == of_text(8, 9));  // right after a wrong one is nothing
        CHECK(one.guess(choice, through, of_text(9, 19)) == of_text(9, 20));
        CHECK(one.s->logprobs.size() == logprobs.size());
        for (size_t i = 0; i < logprobs.size(); ++i) {
            CHECK(one.s->logprobs[i].id == logprobs[i].id);
            CHECK(one.s->logprobs[i].logprob == logprobs[i].logprob);
        }
    }
}

}  // namespace

int main() {
    test_neither_threads_nor_company_change_a_text();
    test_a_combination_that_needs_upstream_is_refused_without_it();
    test_no_sampler_is_made_for_whom_there_is_no_place();
    test_suppressed_tokens_do_not_come_without_sampling_either();
    test_rows_are_chosen_from_until_a_guess_was_wrong(false);
    test_rows_are_chosen_from_until_a_guess_was_wrong(true);
    CHECK_DONE();
}
