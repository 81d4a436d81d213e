// A model with our matrix kernels and with upstream's, in turns in one process: reading a prompt,
// decoding several streams, and how far apart their logits are.
//
//   bench_model FOLDER_OF_BACKENDS MODEL [THREADS]
#include "backend.h"
#include "model.h"
#include "thread_pool.h"

#include "llama.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <memory>
#include <string>

namespace {

using clock_type = std::chrono::steady_clock;

double seconds_since(clock_type::time_point begin) {
    return std::chrono::duration<double>(clock_type::now() - begin).count();
}

double median(std::vector<double> times) {
    std::sort(times.begin(), times.end());
    return times[times.size() / 2];
}

int resident_mib() {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);) {
        if (line.rfind("RssAnon:", 0) == 0) {
            return std::atoi(line.c_str() + 8) / 1024;
        }
    }
    return 0;
}

constexpr int most_streams = 32;
constexpr int depth = 64;

class contestant {
  public:
    contestant(const char * name, const std::string & path, bool repack, bool ours, int n_threads)
        : pool_(n_threads, 0) {
        jan::load_options options;
        options.path = path;
        options.repack = repack;
        options.matrix_kernels = ours;
        jan::load_progress progress;
        const int before = resident_mib();
        const auto begin = clock_type::now();
        model_ = jan::model::load(options, progress);
        std::printf("%-10s loaded in %.2f s, %d MiB of its own\n", name, seconds_since(begin),
                    resident_mib() - before);
        llama_context_params params = llama_context_default_params();
        params.n_ctx = most_streams * 256;
        params.n_batch = params.n_ubatch = 512;
        params.n_seq_max = most_streams;
        params.n_threads = params.n_threads_batch = n_threads;
        params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_ENABLED;
        context_.reset(llama_init_from_model(model_->handle(), params));
        llama_attach_threadpool(context_.get(), pool_.handle(), pool_.handle());
        n_vocab_ = llama_vocab_n_tokens(llama_model_get_vocab(model_->handle()));
        batch_ = llama_batch_init(512, 0, 1);
    }
    ~contestant() { llama_batch_free(batch_); }

    void forget() { llama_memory_clear(llama_get_memory(context_.get()), false); }

    // Seconds for n tokens of one stream from its beginning; the last one's logits, or all of them.
    double read(int stream, int n, bool every) {
        batch_.n_tokens = 0;
        for (int i = 0; i < n; ++i) {
            add((i * 7919 + stream * 104729 + 1) % n_vocab_, i, stream, every || i == n - 1);
        }
        return pass();
    }

    // Seconds for one token in each of n streams.
    double decode(int n, int position) {
        batch_.n_tokens = 0;
        for (int stream = 0; stream < n; ++stream) {
            add((position * 31 + stream * 17) % n_vocab_, position, stream, true);
        }
        return pass();
    }

    const float * logits(int row) const { return llama_get_logits_ith(context_.get(), row); }
    int n_vocab() const { return n_vocab_; }

  private:
    struct context_deleter {
        void operator()(llama_context * c) const { llama_free(c); }
    };

    void add(int token, int position, int stream, bool wanted) {
        const int i = batch_.n_tokens++;
        batch_.token[i] = token;
        batch_.pos[i] = position;
        batch_.n_seq_id[i] = 1;
        batch_.seq_id[i][0] = stream;
        batch_.logits[i] = wanted;
    }

    double pass() {
        const auto begin = clock_type::now();
        if (llama_decode(context_.get(), batch_) != 0) {
            std::fprintf(stderr, "a pass failed\n");
            std::exit(1);
        }
        llama_synchronize(context_.get());
        return seconds_since(begin);
    }

    jan::thread_pool pool_;
    std::shared_ptr<jan::model> model_;
    std::unique_ptr<llama_context, context_deleter> context_;
    llama_batch batch_{};
    int n_vocab_ = 0;
};

double log_of_sum(const float * row, int n, double * largest) {
    *largest = *std::max_element(row, row + n);
    double sum = 0;
    for (int i = 0; i < n; ++i) {
        sum += std::exp(row[i] - *largest);
    }
    return *largest + std::log(sum);
}

// Kullback-Leibler divergence of a row of ours from upstream's.
double divergence(const float * upstreams, const float * ours, int n) {
    double unused;
    const double a = log_of_sum(upstreams, n, &unused), b = log_of_sum(ours, n, &unused);
    double sum = 0;
    for (int i = 0; i < n; ++i) {
        const double p = upstreams[i] - a;
        sum += std::exp(p) * (p - (ours[i] - b));
    }
    return sum;
}

void say_divergence(const char * what, contestant & one, contestant & other) {
    constexpr int n_rows = 64;
    one.forget();
    other.forget();
    one.read(0, n_rows, true);
    other.read(0, n_rows, true);
    double sum = 0, most = 0;
    for (int row = 0; row < n_rows; ++row) {
        const double d = divergence(other.logits(row), one.logits(row), one.n_vocab());
        sum += d;
        most = std::max(most, d);
    }
    std::printf("divergence of %s: mean %.2e, most %.2e\n", what, sum / n_rows, most);
}

struct side {
    contestant * who;
    std::vector<double> times;
};

void say(const char * what, double tokens, const side & ours, const side & theirs) {
    std::vector<double> ratios;
    for (size_t i = 0; i < ours.times.size(); ++i) {
        ratios.push_back(theirs.times[i] / ours.times[i]);
    }
    std::printf("%-16s %8.1f %8.1f tokens/s   %5.2f times (%.2f to %.2f)\n", what,
                tokens / median(ours.times), tokens / median(theirs.times), median(ratios),
                *std::min_element(ratios.begin(), ratios.end()),
                *std::max_element(ratios.begin(), ratios.end()));
    std::fflush(stdout);
}

// Both in turns, `rounds` times.
void compare(const char * what, double tokens, int rounds, contestant & ours, contestant & theirs,
             const std::function<double(contestant &, int round)> & run) {
    side a{&ours, {}}, b{&theirs, {}};
    for (int round = 0; round < rounds; ++round) {
        for (side * s : {&a, &b}) {
            s->times.push_back(run(*s->who, round));
        }
    }
    say(what, tokens, a, b);
}

}  // namespace

int main(int argc, char ** argv) {
    if (argc < 3) {
        std::fprintf(stderr, "usage: %s FOLDER_OF_BACKENDS MODEL [THREADS]\n", argv[0]);
        return 2;
    }
    jan::load_backends(argv[1]);
    const int n_threads = argc > 3 ? std::atoi(argv[3]) : 2;
    contestant("first", argv[2], true, false, n_threads);  // brings the file into the system's cache
    contestant ours("ours", argv[2], true, true, n_threads);
    contestant theirs("upstream's", argv[2], true, false, n_threads);
    {
        // How far apart upstream's own two ways are is what rounding alone does to this model.
        contestant plain("plain", argv[2], false, false, n_threads);
        say_divergence("ours from upstream's", ours, theirs);
        say_divergence("ours from upstream's without repacking", ours, plain);
        say_divergence("upstream's from itself without repacking", theirs, plain);
    }
    std::printf("                     ours upstream's\n");
    for (const int n : {13, 256}) {
        const std::string what = "prompt of " + std::to_string(n);
        compare(what.c_str(), n, 5, ours, theirs, [&](contestant & c, int) {
            c.forget();
            return c.read(0, n, false);
        });
    }
    for (const int n : {1, 2, 8, 9, 32}) {
        for (contestant * c : {&ours, &theirs}) {
            c->forget();
            for (int stream = 0; stream < n; ++stream) {
                c->read(stream, depth, false);
            }
        }
        const std::string what = "decode " + std::to_string(n) + (n > 1 ? " streams" : " stream");
        compare(what.c_str(), n, 11, ours, theirs,
                [&](contestant & c, int round) { return c.decode(n, depth + round); });
    }
}
