// check_upstream_grammar VOCABULARY GRAMMAR N_STEPS [json]: along random texts of the grammar, what
// it allows next is what llama.cpp's grammar sampler allows, for every token of a real vocabulary.
// With "json" the file is a schema. A Python test runs it over upstream's own files.
#include "check.h"

#include "constraint/constraint.h"
#include "constraint/grammar_cache.h"
#include "error.h"
#include "json_schema.h"
#include "vocab.h"

#include "llama.h"

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <random>
#include <string>

namespace {

using namespace jan;

std::string contents(const char * path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

// Upstream takes bytes for characters where they are none, and words that are not shown for text.
bool is_plain_text(std::string_view bytes) {
    for (size_t at = 0; at < bytes.size();) {
        const size_t from = at;
        const uint32_t c = take_code_point(bytes, at);
        if (c == 0 || (c >= 0x80 && at == from + 1)) {
            return false;
        }
    }
    return !bytes.empty();
}

class comparison {
  public:
    comparison(const llama_vocab * words, const std::string & text)
        : vocab_(words), pieces_(vocab(words).pieces()), cache_(pieces_), text_(text) {
        auto made = std::make_shared<constraint_params>();
        made->grammar = cache_.gbnf(text_);
        params_ = made;
    }

    // How many tokens were walked.
    int walk(int n_steps, uint32_t seed) {
        llama_sampler * theirs = llama_sampler_init_grammar(vocab_, text_.c_str(), "root");
        if (!theirs) {
            std::fprintf(stderr, "upstream refuses the grammar\n");
            ++check::n_failed;
            return 0;
        }
        constraint ours(params_, *pieces_, {});
        std::mt19937 random(seed);
        int n = 0;
        for (; n < n_steps && !ours.finished(); ++n) {
            const token next = compare(*theirs, ours, random);
            if (next < 0) {
                break;
            }
            llama_sampler_accept(theirs, next);
            ours.accept(next);
        }
        llama_sampler_free(theirs);
        return n;
    }

  private:
    token compare(llama_sampler & theirs, constraint & ours, std::mt19937 & random) {
        const int n_vocab = pieces_->n_tokens();
        all_.clear();
        for (token id = 0; id < n_vocab; ++id) {
            all_.push_back({id, 0.0f, 0.0f});
        }
        llama_token_data_array row = {all_.data(), all_.size(), -1, false};
        llama_sampler_apply(&theirs, &row);
        const auto mask = ours.allowed();
        std::vector<token> common;
        for (const llama_token_data & one : all_) {
            const bool upstream = one.logit > -INFINITY;
            const bool here = mask->allows(one.id);
            const bool ends = pieces_->ends_generation(one.id);
            if (upstream != here && (ends || is_plain_text(pieces_->bytes(one.id)))) {
                if (check::n_failed++ < 10) {
                    std::fprintf(stderr, "token %d %s: here %d, upstream %d\n", one.id,
                                 std::string(pieces_->special(one.id)).c_str(), here, upstream);
                }
            }
            if (upstream && here && !ends) {
                common.push_back(one.id);
            }
        }
        return common.empty() ? -1 : common[random() % common.size()];
    }

    const llama_vocab * vocab_;
    const std::shared_ptr<const piece_table> pieces_;
    grammar_cache cache_;
    const std::string text_;
    std::shared_ptr<const constraint_params> params_;
    std::vector<llama_token_data> all_;
};

}  // namespace

int main(int argc, char ** argv) {
    if (argc < 4) {
        std::fprintf(stderr, "check_upstream_grammar VOCABULARY GRAMMAR N_STEPS [json]\n");
        return 2;
    }
    llama_log_set([](ggml_log_level, const char *, void *) {}, nullptr);
    llama_model_params params = llama_model_default_params();
    params.vocab_only = true;
    llama_model * model = llama_model_load_from_file(argv[1], params);
    if (!model) {
        std::fprintf(stderr, "%s cannot be read\n", argv[1]);
        return 2;
    }
    int n = 0;
    try {
        std::string text = contents(argv[2]);
        if (argc > 4 && std::strcmp(argv[4], "json") == 0) {
            text = json_schema_to_gbnf(text).text;
        }
        comparison both(llama_model_get_vocab(model), text);
        for (uint32_t seed = 0; seed < 3; ++seed) {
            n += both.walk(std::atoi(argv[3]), seed);
        }
    } catch (const error & e) {
        std::fprintf(stderr, "refused: %s\n", e.message.c_str());
        return 1;
    }
    std::printf("%d tokens\n", n);
    llama_model_free(model);
    CHECK_DONE();
}
