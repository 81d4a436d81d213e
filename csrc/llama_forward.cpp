#include "llama_forward.h"

#include "adapter.h"
#include "cache_type.h"
#include "context.h"
#include "error.h"
#include "free_memory.h"
#include "log.h"
#include "processors.h"
#include "sequence.h"
#include "trial.h"

#include "ggml.h"

#include <algorithm>
#include <climits>
#include <string>

namespace jan {

namespace {

// For the logits of one pass, besides one row for each lane. Upstream keeps them twice.
constexpr int64_t output_bytes = 32 << 20;

bool is_aborted(void * flag) {
    return static_cast<std::atomic<bool> *>(flag)->load(std::memory_order_relaxed);
}

void require(bool condition, const char * what) {
    if (!condition) {
        throw error(errc::invalid_argument, what);
    }
}

}  // namespace

cache_plan llama_forward::plan(const model & source, const forward_options & options) {
    const model_facts facts = source.facts();
    if (facts.vocab_only) {
        throw error(errc::unsupported_feature, "only the vocabulary of this model was loaded");
    }
    if (!facts.has_decoder || facts.has_encoder || facts.is_diffusion) {
        throw error(errc::unsupported_feature, "this model does not generate text token by token");
    }
    require(options.max_rows >= 8 && options.max_rows <= 8192, "n_ubatch must be between 8 and 8192");
    require(options.poll >= 0 && options.poll <= 100, "poll must be between 0 and 100");

    const ggml_type type = cache_type(options.cache_type);
    cache_wish wish;
    wish.n_lanes = options.n_lanes;
    wish.n_ctx = options.n_ctx;
    wish.n_cells = options.n_cells;
    wish.mode = options.kv_mode;
    wish.flash = options.flash_attention;
    wish.quantized = ggml_is_quantized(type);
    const std::vector<device> found = devices();
    const double on_gpus = gpu_share(found, source.n_gpu_layers(), facts.n_layer);
    wish.on_gpu = on_gpus > 0;  // with none of its layers there, the CPU's rules hold
    wish.own_attention = !wish.on_gpu && source.own_attention();
    wish.recurrent = facts.is_recurrent || facts.is_hybrid;
    wish.n_ctx_train = facts.n_ctx_train;
    auto n_numbers = static_cast<uint64_t>(options.n_cached_numbers);
    if (n_numbers == 0 && facts.n_head > 0) {  // every layer alike; a few architectures keep less
        const int n_kv = facts.n_embd / facts.n_head * facts.n_head_kv;
        n_numbers = 2 * static_cast<uint64_t>(facts.n_layer) * static_cast<uint64_t>(n_kv);
    }
    wish.cell_bytes = n_numbers * ggml_type_size(type) / static_cast<uint64_t>(ggml_blck_size(type));
    wish.free_bytes = free_memory(found, on_gpus, facts.n_bytes, available_memory("/proc/meminfo"));
    cache_plan planned = plan_cache(wish);
    if (!wish.recurrent) {  // where only whole lanes go on, none is cut
        planned.shape.n_window = facts.n_swa;
    }
    return planned;
}

llama_forward::llama_forward(std::shared_ptr<const model> source, const forward_options & options,
                             std::shared_ptr<worker_team> team)
    : model_(std::move(source)), team_(std::move(team)), adapts_(options.adapt_threads),
      max_rows_(options.max_rows), batch_{} {
    const cache_plan planned = plan(*model_, options);
    // Upstream's flash kernel cuts a decoding row's cells by workers. Plain products sum each number whole.
    sums_alike_ = planned.flash == 0 || model_->own_attention();
    shape_ = planned.shape;
    if (!team_) {
        team_ = std::make_shared<worker_team>(checked_n_threads(options.n_threads), model_->own_kernels(),
                                              options.poll, adapts_);
    }

    llama_context_params params = llama_context_default_params();
    params.n_ctx = static_cast<uint32_t>(shape_.n_cells);
    params.n_batch = static_cast<uint32_t>(max_rows_);  // one call, one forward pass
    params.n_ubatch = static_cast<uint32_t>(max_rows_);
    params.n_seq_max = static_cast<uint32_t>(shape_.n_lanes);
    n_vocab_ = llama_vocab_n_tokens(llama_model_get_vocab(model_->handle()));
    const auto n_affordable = static_cast<int>(output_bytes / sizeof(float)) / std::max(1, n_vocab_);
    max_outputs_ = std::min(max_rows_, shape_.n_lanes + std::max(1, n_affordable));
    params.n_outputs_max = static_cast<uint32_t>(max_outputs_);
    params.n_threads = params.n_threads_batch = team_->most();
    params.type_k = params.type_v = cache_type(options.cache_type);
    params.flash_attn_type = static_cast<llama_flash_attn_type>(planned.flash);
    params.kv_unified = shape_.mode == kv_mode::unified;
    params.swa_full = true;  // a sliding window forgets what prefix reuse needs
    params.no_perf = true;
    params.abort_callback = is_aborted;
    params.abort_callback_data = &abort_;

    context_ = open_context(*model_, params, "a smaller n_ctx or n_parallel needs less memory");
    memory_ = llama_get_memory(context_.get());
    if (!memory_) {
        throw error(errc::unsupported_feature, "this model computes embeddings, it does not generate text");
    }
    team_->attach(context_.get());
    if (options.n_positions > 0) {  // upstream aborts at the first one the table has not
        shape_.n_ctx = std::min(shape_.n_ctx, options.n_positions);
    }
    if (n_vocab_ == 0) {
        throw error(errc::unsupported_feature, "this model has no vocabulary");
    }
    try_out(*model_, context_.get(), planned.flash != 0);
    batch_ = llama_batch_init(max_rows_, 0, 1);
}

llama_forward::~llama_forward() {
    if (batch_.token) {
        llama_batch_free(batch_);
    }
}

pass_status llama_forward::run(const slice * slices, int n) {
    const auto & adapters = slices[0].of->ask.adapters;
    if (!equal(adapters.get(), adapters_.get())) {
        apply_adapters(context_.get(), adapters.get());
        adapters_ = adapters;  // may free those of before, which waits for passes
    }
    batch_.n_tokens = 0;
    for (int i = 0; i < n; ++i) {
        const sequence & s = *slices[i].of;
        for (int j = 0; j < slices[i].n_tokens; ++j) {
            const int row = batch_.n_tokens++;
            batch_.token[row] = s.row_token(s.n_computed + j);
            batch_.pos[row] = s.n_computed + j;
            batch_.n_seq_id[row] = 1;
            batch_.seq_id[row][0] = s.lane;
            batch_.logits[row] = j >= slices[i].n_tokens - slices[i].n_outputs;
        }
    }
    logits_ = nullptr;
    const log_capture log;
    const bool all = !adapts_ || (slices[0].of->ask.deterministic && !sums_alike_);
    team_->begin(context_.get(), batch_.n_tokens, all);
    const int32_t status = decode_rows(*model_, context_.get(), batch_);
    team_->end();
    switch (status) {
        case 0: unsettled_ = false; return pass_status::done;
        case 1: failure_ = log.reason("the cache is full"); return pass_status::out_of_cells;
        case 2: abort_ = false; return pass_status::aborted;
        default: failure_ = log.reason("the forward pass failed"); return pass_status::failed;
    }
}

float * llama_forward::logits(int row) {
    if (!logits_) {
        logits_ = llama_get_logits(context_.get());  // waits for the device, and puts rows in order
    }
    return logits_ + static_cast<int64_t>(row) * n_vocab_;
}

void llama_forward::apply(const lane_change & change) {
    switch (change.what) {
        case lane_change::kind::trim:
            if (!llama_memory_seq_rm(memory_, change.lane, change.n, -1)) {
                llama_memory_seq_rm(memory_, change.lane, -1, -1);
                throw error(errc::backend_failure, "the cache could not be cut");
            }
            break;
        case lane_change::kind::copy: copy_lane(change.other, change.lane, change.n); break;
        case lane_change::kind::swap: swap_lanes(change.lane, change.other); break;
        case lane_change::kind::shift:
            llama_memory_seq_rm(memory_, change.lane, change.n_keep, change.n_keep + change.n);
            llama_memory_seq_add(memory_, change.lane, change.n_keep + change.n, -1, -change.n);
            unsettled_ = true;
            break;
    }
}

int llama_forward::least_prefix(int lane) {
    if (shape_.n_window == 0) {
        return 0;
    }
    const llama_pos first = llama_memory_seq_pos_min(memory_, lane);
    if (first < 0) {  // a window in chunks that ended just here: all of it may be gone
        return INT_MAX;
    }
    return first == 0 ? 0 : first + shape_.n_window - 1;
}

// Upstream aborts in a shift where all attention is windowed: its cache of layers that see everything
// has no layer then. Nothing tells how many there are but what a lane's state takes: 8 bytes per
// token where there is none.
bool llama_forward::can_shift(int lane) {
    if (!llama_memory_can_shift(memory_) || llama_model_n_swa(model_->handle()) == 0) {
        return llama_memory_can_shift(memory_);
    }
    const size_t whole = llama_state_seq_get_size(context_.get(), lane);
    const size_t windowed =
        llama_state_seq_get_size_ext(context_.get(), lane, LLAMA_STATE_SEQ_FLAGS_PARTIAL_ONLY);
    const auto n_tokens = static_cast<size_t>(llama_memory_seq_pos_max(memory_, lane) + 1);
    return whole > windowed + 256 + 16 * n_tokens;
}

void llama_forward::copy_lane(int from, int to, int n) {
    if (shape_.mode == kv_mode::unified) {
        llama_memory_seq_cp(memory_, from, to, 0, n);
        return;
    }
    if (shape_.n_window > 0) {  // the state functions leave out what is before the last window
        llama_memory_seq_cp(memory_, from, to, -1, -1);
        llama_memory_seq_rm(memory_, to, n, -1);
        unsettled_ = true;
        return;
    }
    // Upstream's copy between streams moves whole buffers and rebuilds its graphs; the state
    // functions move only the cells in use.
    save_lane(from, saved_);
    restore_lane(to, saved_);
    llama_memory_seq_rm(memory_, to, n, -1);
}

void llama_forward::swap_lanes(int a, int b) {
    if (unsettled_) {
        llama_memory_seq_rm(memory_, a, -1, -1);
        llama_memory_seq_rm(memory_, b, -1, -1);
        throw error(errc::backend_failure, "these lanes cannot be moved before the next pass");
    }
    save_lane(a, saved_);
    save_lane(b, saved_too_);
    llama_memory_seq_rm(memory_, a, -1, -1);
    llama_memory_seq_rm(memory_, b, -1, -1);
    restore_lane(a, saved_too_);
    restore_lane(b, saved_);
}

void llama_forward::save_lane(int lane, std::vector<uint8_t> & into) {
    into.clear();
    if (llama_memory_seq_pos_max(memory_, lane) < 0) {
        return;
    }
    into.resize(llama_state_seq_get_size(context_.get(), lane));
    into.resize(llama_state_seq_get_data(context_.get(), into.data(), into.size(), lane));
    if (into.empty()) {
        throw error(errc::backend_failure, "the cells of a lane could not be read");
    }
}

void llama_forward::restore_lane(int lane, const std::vector<uint8_t> & from) {
    if (from.empty()) {
        return;
    }
    if (llama_state_seq_set_data(context_.get(), from.data(), from.size(), lane) == 0) {
        llama_memory_seq_rm(memory_, lane, -1, -1);
        throw error(errc::backend_failure, "the cells of a lane could not be written");
    }
}

}  // namespace jan
