// What may come next in one sequence's text, and how often such guesses were right.
#pragma once

#include "speculation/ngram_index.h"
#include "token.h"

#include <array>
#include <vector>

namespace jan {

// For one thread. Guesses what followed the last time the text read as it does now.
class drafter {
  public:
    static constexpr int most = 48;  // guesses at a time

    explicit drafter(int n_tokens) : index_(n_tokens) {}

    // Whether there is anything to guess from at the end of this text.
    bool look(const std::vector<token> & text);

    // How likely the first n guesses are all right, for n from 1; hopeful where little is known. Falls with
    // n.
    void chances(int n, std::vector<double> & to) const;

    // Appends n guesses; where there is nothing to guess from, any.
    void guess(const std::vector<token> & text, int n, std::vector<token> & to) const;

    // Of n guesses at the end last looked at, the first n_right came.
    void learn(int n, int n_right);

    // There was something to guess from, and it was not worth a row: in time it is tried again.
    void rest();

    void forget() { index_.forget(); }  // the text was changed, not only continued

  private:
    // Guesses are the better, the longer the text has run along another place of it.
    static constexpr std::array<int, 3> alike_from = {0, 6, 16};
    static constexpr std::array<double, 3> first_rates = {0.4, 0.6, 0.8};

    struct record {
        double n_tried = 0;  // fading
        double n_right = 0;
    };

    static size_t kind(int n_alike);
    double rate(size_t kind) const;

    ngram_index index_;
    std::array<record, alike_from.size()> records_{};
};

}  // namespace jan
