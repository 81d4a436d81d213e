#include "speculation/drafter.h"

#include <algorithm>

namespace jan {

namespace {

constexpr double keep = 0.97;  // of what is known, with every guess that was looked at
constexpr double weight = 2;   // in guesses, of what is believed before any
constexpr double hope = 6;     // guesses taken to have been right: what is bad is found out, not believed
constexpr double fade = 0.98;  // of what is known, with every step without a guess

}  // namespace

size_t drafter::kind(int n_alike) {
    size_t k = alike_from.size() - 1;
    while (n_alike < alike_from[k]) {
        --k;
    }
    return k;
}

double drafter::rate(size_t k) const {
    return (records_[k].n_right + weight * first_rates[k] + hope) / (records_[k].n_tried + weight + hope);
}

bool drafter::look(const std::vector<token> & text) {
    index_.see(text);
    return index_.n_alike() > 0;
}

void drafter::chances(int n, std::vector<double> & to) const {
    double all = 1;
    for (int i = 0; i < n; ++i) {
        all *= rate(kind(index_.n_alike() + i));
        to.push_back(all);
    }
}

void drafter::guess(const std::vector<token> & text, int n, std::vector<token> & to) const {
    if (index_.n_alike() == 0) {
        to.insert(to.end(), static_cast<size_t>(n), text.back());
        return;
    }
    index_.continue_with(text, n, to);
}

void drafter::learn(int n, int n_right) {
    if (index_.n_alike() == 0) {
        return;
    }
    for (int i = 0; i < std::min(n, n_right + 1); ++i) {
        record & of = records_[kind(index_.n_alike() + i)];
        of.n_tried = keep * of.n_tried + 1;
        of.n_right = keep * of.n_right + (i < n_right ? 1 : 0);
    }
}

void drafter::rest() {
    if (index_.n_alike() == 0) {
        return;
    }
    record & of = records_[kind(index_.n_alike())];
    of.n_tried *= fade;
    of.n_right *= fade;
}

}  // namespace jan
