# Mirrors csrc name for name. Nothing is decided here.
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t
from libcpp cimport bool
from libcpp.map cimport map as cppmap
from libcpp.memory cimport shared_ptr, unique_ptr
from libcpp.pair cimport pair
from libcpp.string cimport string
from libcpp.string_view cimport string_view
from libcpp.vector cimport vector


cdef extern from "error.h" namespace "jan" nogil:
    cdef enum class errc(int):
        pass

    cdef cppclass error:
        errc code
        string message
        string hint
        vector[pair[string, int64_t]] facts

    error current_error() noexcept


# Called by Cython inside the catch block of every `except +raise_jan_error`.
cdef int raise_jan_error() except -1 with gil


cdef extern from "log.h" namespace "jan" nogil:
    cdef enum class log_level(int):
        pass

    cdef cppclass log_record:
        log_level level
        string text

    vector[log_record] drain_log() except +raise_jan_error


cdef extern from "json_schema.h" namespace "jan" nogil:
    cdef cppclass schema_grammar_text "jan::schema_grammar":
        string text
        vector[string] unheld

    schema_grammar_text json_schema_to_gbnf(string_view schema_json) except +raise_jan_error


cdef extern from "backend.h" namespace "jan" nogil:
    cdef enum class backend_status(int):
        pass

    cdef enum class device_kind(int):
        pass

    cdef cppclass backend_file:
        string path
        string name
        int score
        backend_status status
        string reason

    cdef cppclass device:
        string name
        string description
        string backend
        device_kind kind
        uint64_t memory_free
        uint64_t memory_total

    cdef cppclass backend_choice:
        string only
        vector[pair[string, string]] crashed
    void load_backends(const string & folder, const backend_choice & choice) except +raise_jan_error
    vector[string] rate_cpu_variants(const string & folder) except +raise_jan_error
    vector[backend_file] backend_files() except +raise_jan_error
    vector[device] devices() except +raise_jan_error


cdef extern from "tensor_type.h" namespace "jan" nogil:
    cdef cppclass tensor_type:
        int id
        string name
        int64_t n_block
        uint64_t block_bytes

    vector[tensor_type] tensor_types() except +raise_jan_error


cdef extern from "vocab.h" namespace "jan" nogil:
    ctypedef int token

    cdef cppclass vocab_facts:
        string type
        int n_tokens
        token bos
        token eos
        token eot
        token sep
        token nl
        token pad
        token mask
        token fim_pre
        token fim_suf
        token fim_mid
        token fim_pad
        token fim_rep
        token fim_sep
        bool adds_bos
        bool adds_eos
        int n_longest_bytes
        vector[token] end_of_generation

    cdef cppclass vocab:
        vocab_facts facts() except +raise_jan_error
        vector[token] tokenize(
            string_view text, bool add_special, bool parse_special
        ) except +raise_jan_error
        string detokenize(
            const vector[token] & tokens, bool remove_special, bool unparse_special
        ) except +raise_jan_error
        string piece(token id, bool special) except +raise_jan_error
        bool is_end_of_generation(token id) except +raise_jan_error


cdef extern from "<atomic>" namespace "std" nogil:
    cdef cppclass atomic_float "std::atomic<float>":
        float load()

    cdef cppclass atomic_bool "std::atomic<bool>":
        bool load()
        void store(bool value)


cdef extern from "model.h" namespace "jan" nogil:
    cdef cppclass load_options:
        string path
        bool mmap
        bool mlock
        bool check_tensors
        bool vocab_only
        bool repack
        bool matrix_kernels
        int n_gpu_layers

    cdef cppclass load_progress:
        atomic_float fraction
        atomic_bool cancel

    cdef cppclass model_facts:
        string description
        string file_type
        uint64_t n_params
        uint64_t n_bytes
        bool vocab_only
        int n_ctx_train
        int n_embd
        int n_layer
        int n_head
        int n_head_kv
        int n_swa
        bool has_encoder
        bool has_decoder
        bool is_recurrent
        bool is_hybrid
        bool is_diffusion

    cdef cppclass model:
        @staticmethod
        shared_ptr[model] load(const load_options & options, load_progress & progress) except +raise_jan_error
        model_facts facts() except +raise_jan_error
        vector[pair[string, string]] metadata() except +raise_jan_error
        bool has_chat_template(const string & name) except +raise_jan_error
        string chat_template(const string & name) except +raise_jan_error
        vocab model_vocab "vocab"()


cdef extern from "weight_use.h" namespace "jan" nogil:
    cdef cppclass weight_use:
        string name
        string type
        string operation
        string buffer
        uint64_t n_bytes
        bool is_multiplied
        bool is_as_stored
        bool on_processor

    vector[weight_use] uses_of_weights(const model & source) except +raise_jan_error


cdef extern from "chat.h" namespace "jan" nogil:
    cdef enum class chat_trigger_kind(int):
        pass

    cdef cppclass chat_tool_call:
        string name
        string id
        string arguments

    cdef cppclass chat_message:
        string content
        string reasoning
        vector[chat_tool_call] tool_calls

    cdef cppclass chat_syntax:
        pass

    cdef cppclass chat_trigger:
        chat_trigger_kind kind
        string value
        token id

    cdef cppclass chat_prompt:
        string text
        string generation_prompt
        string grammar
        bool grammar_lazy
        string grammar_begun
        vector[chat_trigger] triggers
        vector[string] preserved
        vector[token] shown
        vector[string] stops
        bool supports_thinking
        bool reasoning_opened
        string thinking_start
        vector[string] unheld
        vector[string] thinking_ends
        string format
        chat_message prefill
        shared_ptr[const chat_syntax] syntax

    cdef cppclass chat_template:
        @staticmethod
        shared_ptr[const chat_template] from_source(
            const string & source, const string & bos, const string & eos
        ) except +raise_jan_error

        @staticmethod
        shared_ptr[const chat_template] from_model(
            shared_ptr[model] source, const string & override_source
        ) except +raise_jan_error
        chat_prompt render(string_view request) except +raise_jan_error
        string source() except +raise_jan_error
        cppmap[string, bool] capabilities() except +raise_jan_error


cdef extern from "chat_stream.h" namespace "jan" nogil:
    cdef cppclass chat_delta:
        string content
        string reasoning
        int tool_index
        string name
        string id
        string arguments

    cdef cppclass chat_stream:
        chat_stream(shared_ptr[const chat_syntax] syntax, chat_message prefill) except +raise_jan_error
        vector[chat_delta] feed(string_view text) except +raise_jan_error
        vector[chat_delta] finish() except +raise_jan_error
        const chat_message & message()
        bool is_complete()
        int64_t n_parses()


cdef extern from "runner.h" namespace "jan" nogil:
    cdef cppclass runner_options:
        int n_ctx
        int n_ubatch
        int n_threads
        int n_positions
        string cache_type
        int flash_attention

    cdef cppclass runner:
        runner(shared_ptr[model] source, const runner_options & options) except +raise_jan_error
        void feed(const vector[token] & tokens) except +raise_jan_error
        token argmax() except +raise_jan_error
        vector[float] logits() except +raise_jan_error
        void cancel()
        void clear() except +raise_jan_error
        int n_past()
        int n_ctx()
        int n_threads()


cdef extern from "gauge.h" namespace "jan" nogil:
    cdef cppclass gauge_options:
        int n_ctx
        int n_streams
        int n_batch
        int n_ubatch
        int n_wanted
        int n_threads
        int n_positions
        int poll
        uint32_t seed
        string cache_type_k
        string cache_type_v
        int flash_attention
        bool unified

    cdef cppclass pass_times:
        int64_t prompt_ns
        int64_t decode_ns

    cdef cppclass gauge:
        gauge(shared_ptr[model] source, const gauge_options & options) except +raise_jan_error
        bool flash()
        pass_times time(
            int n_depth, int n_prompt, int n_gen, const atomic_bool & cancel
        ) except +raise_jan_error
        int n_threads()


cdef extern from "machine_limits.h" namespace "jan" nogil:
    cdef cppclass machine_limits:
        int n_threads
        double byte_gops
        double read_gbs
        string instruction

    machine_limits measure_limits(int n_threads, const atomic_bool & cancel) except +raise_jan_error


cdef extern from "product_times.h" namespace "jan" nogil:
    cdef cppclass timed_product:
        string type
        int64_t width
        int64_t n_rows
        int64_t n_columns
        int n_threads
        int n_repeats

    cdef cppclass product_times:
        vector[int64_t] ours_ns
        vector[int64_t] upstreams_ns
        uint64_t our_bytes
        uint64_t upstreams_bytes
        string upstreams_buffer

    product_times time_product(
        const timed_product & asked, const atomic_bool & cancel
    ) except +raise_jan_error


cdef extern from "divergence.h" namespace "jan" nogil:
    cdef cppclass token_divergence:
        double base_nll
        double nll
        double kl
        bool same_best


cdef extern from "lockstep.h" namespace "jan" nogil:
    cdef cppclass lockstep:
        lockstep(shared_ptr[gauge] base, vector[shared_ptr[gauge]] others) except +raise_jan_error
        vector[vector[token_divergence]] score(
            const vector[token] & window, int n_unscored, float * keep, const atomic_bool & cancel
        ) except +raise_jan_error
        vector[vector[token_divergence]] score_against(
            const float * kept, const vector[token] & window, int n_unscored, const atomic_bool & cancel
        ) except +raise_jan_error
        int n_vocab() const
        bool has_base() const


cdef extern from "quantize.h" namespace "jan" nogil:
    cdef cppclass quantize_options:
        string source
        string target
        string type
        int n_threads
        bool requantize
        bool pure

    void quantize(const quantize_options & options, load_progress & progress) except +raise_jan_error
    vector[string] quantize_types() except +raise_jan_error


cdef extern from "sampling/sampling_params.h" namespace "jan" nogil:
    cdef enum class sampler_kind(int):
        pass

    cdef cppclass logit_bias:
        token id
        float bias

    cdef cppclass sampling_params:
        uint32_t seed
        float temperature
        float dynatemp_range
        float dynatemp_exponent
        int top_k
        float top_p
        float min_p
        float typical_p
        float top_n_sigma
        float xtc_probability
        float xtc_threshold
        float repeat_penalty
        float frequency_penalty
        float presence_penalty
        int repeat_last_n
        float dry_multiplier
        float dry_base
        int dry_allowed_length
        int dry_penalty_last_n
        vector[string] dry_sequence_breakers
        int mirostat
        float mirostat_tau
        float mirostat_eta
        float adaptive_target
        float adaptive_decay
        vector[logit_bias] biases
        int min_keep
        int min_tokens
        vector[sampler_kind] order


cdef extern from "constraint/compiled_grammar.h" namespace "jan" nogil:
    cdef cppclass compiled_grammar:
        size_t n_bytes()


cdef extern from "constraint/grammar_cache.h" namespace "jan" nogil:
    cdef cppclass grammar_cache:
        shared_ptr[compiled_grammar] gbnf(const string & text, const string & root) except +raise_jan_error
        shared_ptr[compiled_grammar] regex(const string & pattern) except +raise_jan_error
        shared_ptr[compiled_grammar] choices(const vector[string] & texts) except +raise_jan_error
        size_t n_bytes()
        uint64_t n_compiled()


cdef extern from "constraint/trigger.h" namespace "jan" nogil:
    cdef cppclass triggers:
        vector[token] tokens
        vector[string] words
        vector[string] patterns

    void check_triggers "jan::check"(const triggers & what) except +raise_jan_error


cdef extern from "constraint/constraint.h" namespace "jan" nogil:
    cdef cppclass constraint_params:
        shared_ptr[compiled_grammar] grammar
        bool lazy
        triggers begin
        string begun


cdef extern from "adapter.h" namespace "jan" nogil:
    cdef cppclass adapter:
        @staticmethod
        shared_ptr[const adapter] load(
            shared_ptr[const model] of, const string & path) except +raise_jan_error

    cdef cppclass adapter_set:
        pass

    cdef cppclass scaled_adapter:
        scaled_adapter()
        scaled_adapter(shared_ptr[const adapter] of, float scale)

    shared_ptr[const adapter_set] make_adapter_set(vector[scaled_adapter] adapters)


cdef extern from "token_rules.h" namespace "jan" nogil:
    cdef cppclass thought_limit:
        int most
        bool begun
        string start
        vector[string] ends
        vector[token] close

    cdef cppclass token_rules:
        vector[token] allowed
        vector[vector[token]] banned
        vector[token] ends
        int min_tokens
        thought_limit thought


cdef extern from "request.h" namespace "jan" nogil:
    cdef cppclass request:
        vector[token] prompt
        int max_tokens
        int n_top
        bool logprobs_of_left
        int prompt_top
        int prompt_top_from
        shared_ptr[const sampling_params] sampling
        shared_ptr[const constraint_params] constraint
        shared_ptr[const adapter_set] adapters
        shared_ptr[const token_rules] rules
        vector[token] shown
        int n_indent
        int64_t t_max_predict_ms
        int n_keep
        bool shift_context
        bool ignore_eos
        bool cache_prompt
        bool deterministic
        bool speculate
        bool stream
        bool progress
        string cache_salt
        string caller
        vector[string] stop

    cdef enum class finish_reason(int):
        pass


cdef extern from "event.h" namespace "jan" nogil:
    # "range" and "usage" are what C++ calls them; here they would hide Python's own.
    cdef cppclass part "jan::range":
        uint32_t start "from"
        uint32_t n

    cdef cppclass token_logprob:
        token id
        float logprob

    cdef cppclass usage:
        int n_prompt
        int n_generated
        int n_cached
        int n_evaluated
        int n_parked
        int n_drafted
        int n_accepted
        bool truncated
        double queued_s
        double prefill_s
        double decode_s

    cdef cppclass ending:
        finish_reason reason
        usage used
        string stop
        error failure

    cdef cppclass prompt_progress:
        int n_cached
        int n_read
        double seconds

    cdef cppclass event:
        uint64_t request
        part text
        part tokens
        part logprobs
        int32_t ending
        part prompt_logprobs
        int32_t prompt_top
        bool prompt_whole
        prompt_progress progress

    cdef cppclass event_batch:
        vector[event] events
        string text
        vector[token] tokens
        vector[token_logprob] logprobs
        vector[token_logprob] prompt_logprobs
        vector[ending] endings


cdef extern from "engine_stats.h" namespace "jan" nogil:
    cdef cppclass counter "std::atomic<uint64_t>":
        uint64_t load()

    cdef cppclass atomic_int "std::atomic<int>":
        int load()

    cdef cppclass atomic_int64 "std::atomic<int64_t>":
        int64_t load()

    cdef cppclass atomic_double "std::atomic<double>":
        double load()

    cdef cppclass histogram_snapshot "jan::histogram::snapshot":
        vector[double] limits
        vector[uint64_t] counts
        double sum

    cdef cppclass histogram:
        histogram_snapshot read() except +raise_jan_error

    cdef cppclass engine_stats:
        counter n_submitted, n_finished, n_cancelled, n_failed
        counter n_steps, n_passes, n_parked, n_shifted, n_moved, n_failed_passes
        counter n_prompt_tokens, n_cached_tokens, n_prefill_rows, n_decode_rows
        counter n_drafted, n_accepted
        atomic_double forward_s, busy_s
        atomic_int n_waiting, n_running, n_decode_workers, n_prefill_workers
        atomic_int64 n_cells_used, n_cells_running
        atomic_double heartbeat_s
        histogram queue, prefill, first_token, token_gap, step
        histogram rows_per_step, prefill_rows_per_step

    cdef cppclass trace_entry "jan::step_trace::entry":
        double start_s
        double forward_s
        double end_s
        int n_decode
        int n_prefill
        int n_passes
        int n_waiting


cdef extern from "kv_ledger.h" namespace "jan" nogil:
    cdef enum class kv_kind "jan::kv_mode"(int):
        pass

    cdef cppclass kv_shape:
        kv_kind mode
        int n_lanes
        int64_t n_cells
        int n_ctx


cdef extern from "scheduler.h" namespace "jan" nogil:
    cdef cppclass scheduler_options:
        int max_rows
        double pass_limit_s
        double token_gap_s
        double slowdown
        bool speculation


cdef extern from "engine.h" namespace "jan" nogil:
    cdef cppclass engine_options:
        int max_waiting
        double calibrate_s
        bool check_integrity
        scheduler_options schedule

    cdef cppclass engine:
        grammar_cache & grammars()
        uint64_t submit(request ask) except +raise_jan_error
        void cancel(uint64_t id) except +raise_jan_error
        void close(bool drain) except +raise_jan_error
        bool take(event_batch & into, double timeout_s) except +raise_jan_error
        kv_shape shape()
        const engine_stats & stats()
        vector[trace_entry] trace() except +raise_jan_error
        double clock_s()


cdef extern from "kernel_choice.h" namespace "jan" nogil:
    cdef enum class kernel_reason(int):
        pass

    cdef cppclass trial_size:
        int n_lanes
        int depth

    cdef cppclass kernel_choice:
        int flash
        kernel_reason reason
        double plain_s
        double flash_s
        trial_size size
        int n_rounds
        string failure


cdef extern from "open_engine.h" namespace "jan" nogil:
    cdef cppclass forward_options:
        int n_lanes
        int n_ctx
        int n_positions
        int n_cached_numbers
        int64_t n_cells
        int max_rows
        int n_threads
        bint adapt_threads
        int poll
        int kv_mode
        string cache_type
        int flash_attention

    cdef cppclass null_options:
        kv_shape shape
        int max_rows
        int n_vocab
        double pass_s
        double row_s
        int fail_token

    cdef cppclass opened_engine:
        unique_ptr[engine] running
        kernel_choice kernel
        int n_threads

    opened_engine open_engine(
        shared_ptr[model] source, const forward_options & options, const engine_options & running
    ) except +raise_jan_error
    unique_ptr[engine] open_null_engine(
        const null_options & options, const engine_options & running
    ) except +raise_jan_error


cdef extern from "embedder.h" namespace "jan" nogil:
    cdef cppclass embedder_options:
        int n_ctx
        int n_positions
        bool can_rank
        int n_threads
        int pooling

    cdef cppclass embedder:
        embedder(shared_ptr[model] source, const embedder_options & options) except +raise_jan_error
        vector[vector[float]] embed(const vector[vector[token]] & inputs) except +raise_jan_error
        int n_ctx()
        int n_out()
        int pooling()
