#include "vocab.h"

#include "abort_guard.h"
#include "error.h"
#include "special_tokens.h"
#include "text_is_cut.h"

#include <algorithm>
#include <climits>
#include <cstdlib>

namespace jan {

namespace {

const char * type_name(enum llama_vocab_type type) {
    switch (type) {
        case LLAMA_VOCAB_TYPE_SPM: return "spm";
        case LLAMA_VOCAB_TYPE_BPE: return "bpe";
        case LLAMA_VOCAB_TYPE_WPM: return "wpm";
        case LLAMA_VOCAB_TYPE_UGM: return "ugm";
        case LLAMA_VOCAB_TYPE_RWKV: return "rwkv";
        case LLAMA_VOCAB_TYPE_PLAMO2: return "plamo2";
        case LLAMA_VOCAB_TYPE_PLAMO3: return "plamo3";
        case LLAMA_VOCAB_TYPE_TEST: return "test";
        case LLAMA_VOCAB_TYPE_NONE: break;
    }
    return "none";
}

// While alive, upstream looks for no special tokens on this thread.
class cut_text {
  public:
    cut_text() : was_(jan_text_is_cut(true)) {}
    ~cut_text() { jan_text_is_cut(was_); }
    cut_text(const cut_text &) = delete;
    cut_text & operator=(const cut_text &) = delete;

  private:
    const bool was_;
};

// Upstream's "how many would it have been" protocol: a negative result is the size needed.
template <class Buffer, class Call> Buffer filled(size_t guess, const Call & call) {
    const abort_guard guard;
    Buffer out(guess, {});
    int32_t n = call(out.data(), static_cast<int32_t>(out.size()));
    if (n < 0 && n != INT32_MIN) {
        out.resize(static_cast<size_t>(-static_cast<int64_t>(n)));
        n = call(out.data(), static_cast<int32_t>(out.size()));
    }
    if (n < 0) {
        throw error(errc::invalid_argument, "the text has more tokens than can be counted");
    }
    out.resize(static_cast<size_t>(n));
    return out;
}

}  // namespace

vocab_facts vocab::facts() const {
    vocab_facts f{};
    f.type = type_name(llama_vocab_type(handle_));
    f.n_tokens = llama_vocab_n_tokens(handle_);
    f.bos = llama_vocab_bos(handle_);
    f.eos = llama_vocab_eos(handle_);
    f.eot = llama_vocab_eot(handle_);
    f.sep = llama_vocab_sep(handle_);
    f.nl = llama_vocab_nl(handle_);
    f.pad = llama_vocab_pad(handle_);
    f.mask = llama_vocab_mask(handle_);
    f.fim_pre = llama_vocab_fim_pre(handle_);
    f.fim_suf = llama_vocab_fim_suf(handle_);
    f.fim_mid = llama_vocab_fim_mid(handle_);
    f.fim_pad = llama_vocab_fim_pad(handle_);
    f.fim_rep = llama_vocab_fim_rep(handle_);
    f.fim_sep = llama_vocab_fim_sep(handle_);
    f.adds_bos = llama_vocab_get_add_bos(handle_);
    f.adds_eos = llama_vocab_get_add_eos(handle_);
    const bool drops_text = f.type == "wpm" || f.type == "ugm" || f.type == "none";
    for (token id = 0; id < f.n_tokens; ++id) {
        if (llama_vocab_is_eog(handle_, id)) {
            f.end_of_generation.push_back(id);
        }
        if (!drops_text) {  // unknown words, and whitespace that repeats
            f.n_longest_bytes =
                std::max(f.n_longest_bytes, std::abs(llama_token_to_piece(handle_, id, nullptr, 0, 0, true)));
        }
    }
    return f;
}

std::vector<token> vocab::tokenize(std::string_view text, bool add_special, bool parse_special) const {
    if (llama_vocab_type(handle_) == LLAMA_VOCAB_TYPE_NONE) {
        throw error(errc::unsupported_feature, "this model has no vocabulary to tokenise with");
    }
    if (text.size() > INT_MAX / 2) {
        throw error(errc::invalid_argument, "the text is too long to tokenise in one piece")
            .with("n_bytes", static_cast<int64_t>(text.size()));
    }
    const abort_guard guard;
    std::vector<token> out;
    if (!special_) {
        append(text, add_special, parse_special, out);
        return out;
    }
    // What a text begins and ends with does not depend on the text. A WPM vocabulary is not asked.
    std::vector<token> ends;
    if (add_special) {
        append({}, true, false, ends);
    }
    const bool begins = llama_vocab_type(handle_) == LLAMA_VOCAB_TYPE_WPM || llama_vocab_get_add_bos(handle_);
    const size_t n_before = begins ? std::min<size_t>(ends.size(), 1) : 0;
    out.assign(ends.begin(), ends.begin() + static_cast<ptrdiff_t>(n_before));
    const cut_text cut;
    special_->cut(text, parse_special, [&](const special_tokens::piece & piece) {
        if (piece.id >= 0) {
            out.push_back(piece.id);
        } else {
            // Each stretch by itself: upstream, too, begins anew behind a special token.
            append(text.substr(piece.at, piece.n), false, parse_special, out);
        }
    });
    out.insert(out.end(), ends.begin() + static_cast<ptrdiff_t>(n_before), ends.end());
    return out;
}

void vocab::append(std::string_view text, bool add_special, bool parse_special,
                   std::vector<token> & out) const {
    const size_t n_before = out.size();
    const auto tokenize = [&](size_t room) {
        out.resize(n_before + room);
        return llama_tokenize(handle_, text.data(), static_cast<int32_t>(text.size()), out.data() + n_before,
                              static_cast<int32_t>(room), add_special, parse_special);
    };
    int32_t n = tokenize(text.size() + 2);
    if (n < 0 && n != INT32_MIN) {
        n = tokenize(static_cast<size_t>(-static_cast<int64_t>(n)));
    }
    if (n < 0) {
        throw error(errc::invalid_argument, "the text has more tokens than can be counted");
    }
    out.resize(n_before + static_cast<size_t>(n));
}

std::string vocab::detokenize(const std::vector<token> & tokens, bool remove_special,
                              bool unparse_special) const {
    for (const token id : tokens) {
        require_token(id);
    }
    return filled<std::string>(tokens.size() * 8 + 16, [&](char * out, int32_t room) {
        return llama_detokenize(handle_, tokens.data(), static_cast<int32_t>(tokens.size()), out, room,
                                remove_special, unparse_special);
    });
}

std::string vocab::piece(token id, bool special) const {
    require_token(id);
    return filled<std::string>(32, [&](char * out, int32_t room) {
        return llama_token_to_piece(handle_, id, out, room, 0, special);
    });
}

bool vocab::is_end_of_generation(token id) const {
    require_token(id);
    return llama_vocab_is_eog(handle_, id);
}

std::shared_ptr<const piece_table> vocab::pieces() const {
    auto table = std::make_shared<piece_table>();
    const int n_tokens = llama_vocab_n_tokens(handle_);
    for (token id = 0; id < n_tokens; ++id) {
        table->add(piece(id, false), llama_vocab_is_eog(handle_, id), piece(id, true));
    }
    return table;
}

void vocab::require_token(token id) const {
    const int n_tokens = llama_vocab_n_tokens(handle_);
    if (id < 0 || id >= n_tokens) {
        throw error(errc::invalid_argument, "token id " + std::to_string(id) +
                                                " is outside this vocabulary of " + std::to_string(n_tokens))
            .with("token", id);
    }
}

}  // namespace jan
