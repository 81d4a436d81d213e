// check_upstream_tokens MODEL: reads a text a line, "add_special parse_special hex", and says whether it
// becomes the same tokens here and in upstream alone: "same", or both. A Python test writes the model.
#include "special_tokens.h"
#include "vocab.h"

#include "llama.h"

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

namespace {

std::vector<llama_token> upstream(const llama_vocab * words, const std::string & text, bool add, bool parse) {
    std::vector<llama_token> out(text.size() * 3 + 8);  // a space may become three bytes
    const auto n = llama_tokenize(words, text.data(), static_cast<int32_t>(text.size()), out.data(),
                                  static_cast<int32_t>(out.size()), add, parse);
    out.resize(static_cast<size_t>(std::max(n, 0)));
    return out;
}

std::string shown(const std::vector<llama_token> & tokens) {
    std::string out;
    for (const auto id : tokens) {
        out += " " + std::to_string(id);
    }
    return out;
}

std::string from_hex(const std::string & hex) {
    std::string out;
    for (size_t i = 0; i + 1 < hex.size(); i += 2) {
        out += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
    }
    return out;
}

}  // namespace

int main(int argc, char ** argv) {
    if (argc != 2) {
        return 2;
    }
    llama_log_set([](ggml_log_level, const char *, void *) {}, nullptr);
    llama_model_params params = llama_model_default_params();
    params.vocab_only = true;
    llama_model * model = llama_model_load_from_file(argv[1], params);
    if (!model) {
        std::puts("no model");
        return 1;
    }
    const llama_vocab * words = llama_model_get_vocab(model);
    const jan::special_tokens special(words);
    const jan::vocab ours(words, &special);
    for (std::string line; std::getline(std::cin, line);) {
        std::istringstream fields(line);
        bool add = false, parse = false;
        std::string hex;
        fields >> add >> parse >> hex;
        const std::string text = from_hex(hex);
        const auto expected = upstream(words, text, add, parse);
        const auto found = ours.tokenize(text, add, parse);
        std::cout << (found == expected ? "same" : "upstream" + shown(expected) + ", ours" + shown(found))
                  << std::endl;
    }
    llama_model_free(model);
    return 0;
}
