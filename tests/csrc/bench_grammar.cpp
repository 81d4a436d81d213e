// bench_grammar VOCABULARY: what a grammar costs per token along random texts of a schema, here and
// with llama.cpp's grammar sampler, on the same tokens.
#include "constraint/constraint.h"
#include "constraint/grammar_cache.h"
#include "json_schema.h"
#include "vocab.h"

#include "llama.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <random>

namespace {

using namespace jan;

constexpr const char * schema =
    R"({"type":"array","minItems":3,"items":{"type":"object","properties":{"name":{"type":"string"},
    "age":{"type":"integer"},"tags":{"type":"array","items":{"type":"string","maxLength":40}},
    "mood":{"enum":["good","bad","indifferent"]}},"required":["name","age","tags","mood"]}})";

class stopwatch {
  public:
    double us() const {
        return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start_).count();
    }

  private:
    const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

void print(const char * what, std::vector<double> us) {
    std::sort(us.begin(), us.end());
    const auto at = [&](double share) {
        return us[static_cast<size_t>(share * static_cast<double>(us.size() - 1))];
    };
    std::printf("%-34s %9.1f us median %9.1f p90 %9.1f most, of %zu\n", what, at(0.5), at(0.9), at(1),
                us.size());
}

}  // namespace

int main(int argc, char ** argv) {
    if (argc < 2) {
        std::fprintf(stderr, "bench_grammar VOCABULARY\n");
        return 2;
    }
    llama_log_set([](ggml_log_level, const char *, void *) {}, nullptr);
    llama_model_params params = llama_model_default_params();
    params.vocab_only = true;
    llama_model * model = llama_model_load_from_file(argv[1], params);
    if (!model) {
        return 2;
    }
    const llama_vocab * words = llama_model_get_vocab(model);
    const auto pieces = vocab(words).pieces();
    std::printf("%d tokens\n", pieces->n_tokens());
    const std::string gbnf = json_schema_to_gbnf(schema).text;
    grammar_cache cache(pieces);
    const stopwatch first;
    cache.regex("a");
    std::printf("%-34s %9.0f us\n", "the vocabulary as a tree, once", first.us());
    const stopwatch compiling;
    auto made = std::make_shared<constraint_params>();
    made->grammar = cache.gbnf(gbnf);
    std::printf("%-34s %9.0f us\n", "compile the schema", compiling.us());

    std::vector<double> check_us, mask_us, again_us, upstream_us;
    std::vector<llama_token_data> row(static_cast<size_t>(pieces->n_tokens()));
    std::vector<float> logits(row.size()), masked(row.size());
    std::vector<double> apply_us;
    for (uint32_t seed = 0; seed < 4; ++seed) {
        constraint ours(made, *pieces, {});
        llama_sampler * theirs = llama_sampler_init_grammar(words, gbnf.c_str(), "root");
        std::mt19937 random(seed);
        for (int n = 0; n < 60 && !ours.finished(); ++n) {
            const stopwatch mask;
            const auto allowed = ours.allowed();
            mask_us.push_back(mask.us());
            const stopwatch again;
            ours.allowed();
            again_us.push_back(again.us());
            const stopwatch applying;
            allowed->apply(logits.data(), masked.data());
            apply_us.push_back(applying.us());
            for (size_t i = 0; i < row.size(); ++i) {
                row[i] = {static_cast<token>(i), 0.0f, 0.0f};
            }
            llama_token_data_array all = {row.data(), row.size(), -1, false};
            const stopwatch upstream;
            llama_sampler_apply(theirs, &all);
            upstream_us.push_back(upstream.us());
            std::vector<token> next;
            for (const llama_token_data & one : row) {
                if (one.logit > -INFINITY && allowed->allows(one.id)) {
                    next.push_back(one.id);
                }
            }
            const token id = next[random() % next.size()];
            const stopwatch checking;
            ours.allows(id);
            check_us.push_back(checking.us());
            if (pieces->ends_generation(id)) {
                break;
            }
            ours.accept(id);
            llama_sampler_accept(theirs, id);
        }
        llama_sampler_free(theirs);
    }
    print("check one token", check_us);
    print("what may follow, worked out", mask_us);
    print("what may follow, remembered", again_us);
    print("take the rest out of a row", apply_us);
    print("llama.cpp, all tokens", upstream_us);
    std::printf("%zu KiB remembered\n", cache.n_bytes() / 1024);
    llama_model_free(model);
    return 0;
}
