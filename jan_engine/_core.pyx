# cython: language_level=3
# Converts between Python and csrc and releases the GIL around every call that can take time.
# Decides nothing: what is allowed, defaulted or chosen is decided in C++ or in Python.
# Each class owns one C++ object, made in __cinit__ and freed in __dealloc__.
from cpython.buffer cimport (
    PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer,
)
from cython.operator cimport dereference
from libcpp.memory cimport make_shared, make_unique
from libcpp.utility cimport move

import os

from jan_engine.errors import InvalidRequest, from_code


cdef int raise_jan_error() except -1 with gil:
    cdef error e = current_error()
    raise _exception(e)


cdef object _exception(const error & e):
    cdef size_t i
    cdef dict facts = {_text(e.facts[i].first): e.facts[i].second for i in range(e.facts.size())}
    return from_code(<int>e.code, _text(e.message), _text(e.hint), facts)


# Upstream's strings come from files and drivers: not all of them are UTF-8.
cdef str _text(const string & bytes_):
    return bytes_.data()[:bytes_.size()].decode("utf-8", "replace")


def take_log() -> list[tuple[int, str]]:
    return [(<int>record.level, _text(record.text)) for record in drain_log()]


def schema_grammar(bytes schema_json not None) -> tuple[str, list[str]]:
    cdef schema_grammar_text grammar
    cdef const char * data = schema_json
    cdef size_t size = len(schema_json)
    with nogil:
        grammar = json_schema_to_gbnf(string_view(data, size))
    return _text(grammar.text), [_text(one) for one in grammar.unheld]


def open_backends(
    bytes folder not None,
    *,
    bytes only not None=b"",
    crashed=(),
) -> None:
    cdef string path = folder
    cdef backend_choice choice
    choice.only = only
    for name, how in crashed:
        choice.crashed.push_back(pair[string, string](<bytes>name, <bytes>how))
    with nogil:
        load_backends(path, choice)


def rate_cpu_variants_in(bytes folder not None) -> list[str]:
    cdef string path = folder
    cdef vector[string] names
    with nogil:
        names = rate_cpu_variants(path)
    return [_text(name) for name in names]


def list_backend_files() -> list[dict[str, object]]:
    return [
        {
            "path": os.fsdecode(file.path),  # so that it names the file again, whatever its bytes
            "name": _text(file.name),
            "score": file.score,
            "status": <int>file.status,
            "reason": _text(file.reason),
        }
        for file in backend_files()
    ]


def list_devices() -> list[dict[str, object]]:
    cdef vector[device] found
    with nogil:
        found = devices()
    return [
        {
            "name": _text(dev.name),
            "description": _text(dev.description),
            "backend": _text(dev.backend),
            "kind": <int>dev.kind,
            "memory_free": dev.memory_free,
            "memory_total": dev.memory_total,
        }
        for dev in found
    ]


def list_tensor_types() -> list[tuple[int, str, int, int]]:
    return [(kind.id, _text(kind.name), kind.n_block, kind.block_bytes) for kind in tensor_types()]


cdef class Progress:
    """How far a load or a quantisation is. Read and cancelled from any thread."""

    cdef unique_ptr[load_progress] shared

    def __cinit__(self):
        self.shared = make_unique[load_progress]()

    @property
    def fraction(self) -> float:
        return dereference(self.shared).fraction.load()

    def cancel(self) -> None:
        dereference(self.shared).cancel.store(True)


cdef class Model:
    """A loaded model. Every method may be called from any thread at any time."""

    cdef shared_ptr[model] shared

    def __cinit__(
        self,
        bytes path not None,
        Progress progress not None,
        *,
        bint mmap,
        bint mlock,
        bint check_tensors,
        bint vocab_only,
        bint repack,
        bint matrix_kernels,
        int n_gpu_layers,
    ):
        cdef load_options options
        options.path = path
        options.mmap = mmap
        options.mlock = mlock
        options.check_tensors = check_tensors
        options.vocab_only = vocab_only
        options.repack = repack
        options.matrix_kernels = matrix_kernels
        options.n_gpu_layers = n_gpu_layers
        with nogil:
            self.shared = model.load(options, dereference(progress.shared))

    def __dealloc__(self):
        with nogil:
            self.shared.reset()

    def facts(self) -> dict[str, object]:
        cdef model_facts f = dereference(self.shared).facts()
        return {
            "description": _text(f.description),
            "file_type": _text(f.file_type),
            "n_params": f.n_params,
            "n_bytes": f.n_bytes,
            "vocab_only": f.vocab_only,
            "n_ctx_train": f.n_ctx_train,
            "n_embd": f.n_embd,
            "n_layer": f.n_layer,
            "n_head": f.n_head,
            "n_head_kv": f.n_head_kv,
            "n_swa": f.n_swa,
            "has_encoder": f.has_encoder,
            "has_decoder": f.has_decoder,
            "is_recurrent": f.is_recurrent,
            "is_hybrid": f.is_hybrid,
            "is_diffusion": f.is_diffusion,
        }

    def weight_uses(self) -> list[dict[str, object]]:
        cdef vector[weight_use] found
        with nogil:
            found = uses_of_weights(dereference(self.shared))
        return [
            {
                "name": _text(one.name),
                "type": _text(one.type),
                "operation": _text(one.operation),
                "buffer": _text(one.buffer),
                "n_bytes": one.n_bytes,
                "is_multiplied": one.is_multiplied,
                "is_as_stored": one.is_as_stored,
                "on_processor": one.on_processor,
            }
            for one in found
        ]

    def vocab_facts(self) -> dict[str, object]:
        cdef vocab_facts f = dereference(self.shared).model_vocab().facts()
        return {
            "type": _text(f.type),
            "n_tokens": f.n_tokens,
            "bos": f.bos,
            "eos": f.eos,
            "eot": f.eot,
            "sep": f.sep,
            "nl": f.nl,
            "pad": f.pad,
            "mask": f.mask,
            "fim_pre": f.fim_pre,
            "fim_suf": f.fim_suf,
            "fim_mid": f.fim_mid,
            "fim_pad": f.fim_pad,
            "fim_rep": f.fim_rep,
            "fim_sep": f.fim_sep,
            "adds_bos": f.adds_bos,
            "adds_eos": f.adds_eos,
            "n_longest_bytes": f.n_longest_bytes,
            "end_of_generation": f.end_of_generation,
        }

    def metadata(self) -> dict[str, str]:
        return {_text(entry.first): _text(entry.second) for entry in dereference(self.shared).metadata()}

    def chat_template(self, str name not None) -> str | None:
        cdef string key = name.encode()
        if not dereference(self.shared).has_chat_template(key):
            return None
        return _text(dereference(self.shared).chat_template(key))

    def tokenize(self, bytes text not None, bint add_special, bint parse_special) -> list[int]:
        cdef vector[token] found
        cdef const char * data = text
        cdef size_t size = len(text)
        with nogil:
            found = dereference(self.shared).model_vocab().tokenize(
                string_view(data, size), add_special, parse_special
            )
        return found

    def detokenize(self, list tokens not None, bint remove_special, bint unparse_special) -> bytes:
        cdef vector[token] ids = tokens
        cdef string text
        with nogil:
            text = dereference(self.shared).model_vocab().detokenize(ids, remove_special, unparse_special)
        return text

    def piece(self, int token_id, bint special) -> bytes:
        return dereference(self.shared).model_vocab().piece(token_id, special)

    def is_end_of_generation(self, int token_id) -> bool:
        return dereference(self.shared).model_vocab().is_end_of_generation(token_id)


cdef class Adapter:
    """A loaded adapter. Keeps its model alive."""

    cdef shared_ptr[const adapter] shared

    def __cinit__(self, Model of not None, bytes path not None):
        cdef string path_ = path
        with nogil:
            self.shared = adapter.load(<shared_ptr[const model]>of.shared, path_)

    def __dealloc__(self):
        with nogil:  # waits for passes that run
            self.shared.reset()


cdef class ChatPrompt:
    """A rendered prompt. Immutable, so any number of streams may read by it."""

    cdef chat_prompt owned

    @property
    def text(self) -> str:
        return _text(self.owned.text)

    def facts(self) -> dict[str, object]:
        return {
            "generation_prompt": _text(self.owned.generation_prompt),
            "grammar": _text(self.owned.grammar),
            "grammar_lazy": self.owned.grammar_lazy,
            "grammar_begun": _text(self.owned.grammar_begun),
            "triggers": [(<int>t.kind, _text(t.value), t.id) for t in self.owned.triggers],
            "preserved": [_text(one) for one in self.owned.preserved],
            "shown": tuple(self.owned.shown),
            "stops": [_text(one) for one in self.owned.stops],
            "supports_thinking": self.owned.supports_thinking,
            "reasoning_opened": self.owned.reasoning_opened,
            "thinking_start": _text(self.owned.thinking_start),
            "unheld": [_text(one) for one in self.owned.unheld],
            "thinking_ends": [_text(one) for one in self.owned.thinking_ends],
            "format": _text(self.owned.format),
        }


cdef class ChatTemplate:
    """A template, read and analysed. Every method may be called from any thread at any time."""

    cdef shared_ptr[const chat_template] shared

    def __cinit__(self, Model of, *, bytes source not None, bytes bos not None, bytes eos not None):
        cdef string text = source
        cdef string first = bos
        cdef string last = eos
        if of is None:
            with nogil:
                self.shared = chat_template.from_source(text, first, last)
        else:
            with nogil:
                self.shared = chat_template.from_model(of.shared, text)

    def __dealloc__(self):
        with nogil:
            self.shared.reset()

    def render(self, bytes request not None) -> ChatPrompt:
        cdef ChatPrompt prompt = ChatPrompt.__new__(ChatPrompt)
        cdef const char * data = request
        cdef size_t size = len(request)
        with nogil:
            prompt.owned = dereference(self.shared).render(string_view(data, size))
        return prompt

    def source(self) -> str:
        return _text(dereference(self.shared).source())

    def capabilities(self) -> dict[str, bool]:
        return {_text(entry.first): entry.second for entry in dereference(self.shared).capabilities()}


cdef list _deltas(vector[chat_delta] & found):
    return [
        (_text(d.content), _text(d.reasoning), d.tool_index, _text(d.name), _text(d.id), _text(d.arguments))
        for d in found
    ]


cdef class ChatStream:
    """One answer as it comes; one thread at a time."""

    cdef unique_ptr[chat_stream] owned

    def __cinit__(self, ChatPrompt prompt not None):
        self.owned.reset(new chat_stream(prompt.owned.syntax, prompt.owned.prefill))

    def feed(self, bytes text not None) -> list[tuple[str, str, int, str, str, str]]:
        cdef vector[chat_delta] found
        cdef const char * data = text
        cdef size_t size = len(text)
        with nogil:
            found = dereference(self.owned).feed(string_view(data, size))
        return _deltas(found)

    def finish(self) -> list[tuple[str, str, int, str, str, str]]:
        cdef vector[chat_delta] found
        with nogil:
            found = dereference(self.owned).finish()
        return _deltas(found)

    @property
    def is_complete(self) -> bool:
        return dereference(self.owned).is_complete()

    @property
    def n_parses(self) -> int:
        return dereference(self.owned).n_parses()


cdef class Runner:
    """One sequence through a model. Keeps the model alive; one thread at a time, but cancel()."""

    cdef unique_ptr[runner] owned

    def __cinit__(
        self,
        Model source not None,
        *,
        int n_ctx,
        int n_ubatch,
        int n_threads,
        int n_positions,
        bytes cache_type not None,
        int flash_attention,
    ):
        cdef runner_options options
        options.n_ctx = n_ctx
        options.n_ubatch = n_ubatch
        options.n_threads = n_threads
        options.n_positions = n_positions
        options.cache_type = cache_type
        options.flash_attention = flash_attention
        with nogil:
            self.owned.reset(new runner(source.shared, options))

    def __dealloc__(self):
        with nogil:
            self.owned.reset()

    def feed(self, list tokens not None) -> None:
        cdef vector[token] ids = tokens
        with nogil:
            dereference(self.owned).feed(ids)

    def argmax(self) -> int:
        cdef token found
        with nogil:
            found = dereference(self.owned).argmax()
        return found

    def logits(self) -> list[float]:
        return dereference(self.owned).logits()

    def cancel(self) -> None:
        dereference(self.owned).cancel()

    def clear(self) -> None:
        dereference(self.owned).clear()

    @property
    def n_past(self) -> int:
        return dereference(self.owned).n_past()

    @property
    def n_ctx(self) -> int:
        return dereference(self.owned).n_ctx()

    @property
    def n_threads(self) -> int:
        return dereference(self.owned).n_threads()


cdef class Gauge:
    """Forward passes of one model without an engine. Keeps the model alive; one thread at a time."""

    cdef shared_ptr[gauge] shared

    def __cinit__(
        self,
        Model source not None,
        *,
        int n_ctx,
        int n_streams,
        int n_batch,
        int n_ubatch,
        int n_wanted,
        int n_threads,
        int n_positions,
        int poll,
        uint32_t seed,
        bytes cache_type_k not None,
        bytes cache_type_v not None,
        int flash_attention,
        bint unified,
    ):
        cdef gauge_options options
        options.n_ctx = n_ctx
        options.n_streams = n_streams
        options.n_batch = n_batch
        options.n_ubatch = n_ubatch
        options.n_wanted = n_wanted
        options.n_threads = n_threads
        options.n_positions = n_positions
        options.poll = poll
        options.seed = seed
        options.cache_type_k = cache_type_k
        options.cache_type_v = cache_type_v
        options.flash_attention = flash_attention
        options.unified = unified
        with nogil:
            self.shared.reset(new gauge(source.shared, options))

    def __dealloc__(self):
        with nogil:
            self.shared.reset()

    def time(self, int n_depth, int n_prompt, int n_gen, Progress progress not None) -> tuple[int, int]:
        cdef pass_times times
        with nogil:
            times = dereference(self.shared).time(
                n_depth, n_prompt, n_gen, dereference(progress.shared).cancel
            )
        return times.prompt_ns, times.decode_ns

    @property
    def n_threads(self) -> int:
        return dereference(self.shared).n_threads()

    @property
    def flash(self) -> bool:
        return dereference(self.shared).flash()


cdef class Lockstep:
    """A reference and other models over one text. Keeps the gauges alive; one thread at a time."""

    cdef unique_ptr[lockstep] owned

    def __cinit__(self, Gauge base, list others not None):
        cdef shared_ptr[gauge] first
        cdef vector[shared_ptr[gauge]] gauges
        cdef Gauge other
        if base is None and not others:
            raise InvalidRequest("others: without a reference there is one at least")
        if base is not None:
            first = base.shared
        for other in others:
            gauges.push_back(other.shared)
        self.owned.reset(new lockstep(first, gauges))

    def __dealloc__(self):
        with nogil:
            self.owned.reset()

    def score(
        self, list window not None, int n_unscored, object keep, Progress progress not None
    ) -> list[list[tuple[float, float, float, bool]]]:
        """`keep`: None, or a buffer of bytes for the reference's logits of every scored token."""
        cdef vector[token] ids = window
        cdef vector[vector[token_divergence]] found
        cdef float * into = NULL
        cdef Py_buffer view
        if not dereference(self.owned).has_base():
            raise InvalidRequest("base: there is no reference that computes")
        if keep is not None:
            PyObject_GetBuffer(keep, &view, PyBUF_WRITABLE)
        try:
            if keep is not None:
                self._check(view.len, len(window), n_unscored)
                into = <float *> view.buf
            with nogil:
                found = dereference(self.owned).score(
                    ids, n_unscored, into, dereference(progress.shared).cancel
                )
        finally:
            if keep is not None:
                PyBuffer_Release(&view)
        return _divergences(found)

    def score_against(
        self, object kept not None, list window not None, int n_unscored, Progress progress not None
    ) -> list[list[tuple[float, float, float, bool]]]:
        """`kept`: what score() left in its buffer of the same window."""
        cdef vector[token] ids = window
        cdef vector[vector[token_divergence]] found
        cdef Py_buffer view
        if dereference(self.owned).has_base():
            raise InvalidRequest("base: there is a reference that computes")
        PyObject_GetBuffer(kept, &view, PyBUF_SIMPLE)
        try:
            self._check(view.len, len(window), n_unscored)
            with nogil:
                found = dereference(self.owned).score_against(
                    <const float *> view.buf, ids, n_unscored, dereference(progress.shared).cancel
                )
        finally:
            PyBuffer_Release(&view)
        return _divergences(found)

    cdef int _check(self, Py_ssize_t n_bytes, Py_ssize_t n_tokens, int n_unscored) except -1:
        wanted = max(0, n_tokens - 1 - n_unscored) * dereference(self.owned).n_vocab() * 4
        if n_bytes != wanted:
            raise InvalidRequest(f"kept: has {n_bytes} bytes, the logits of this window {wanted}")
        return 0


cdef list _divergences(vector[vector[token_divergence]] & found):
    return [
        [(one.base_nll, one.nll, one.kl, one.same_best) for one in of_model] for of_model in found
    ]


def limits_of_machine(int n_threads, Progress progress not None) -> dict[str, object]:
    cdef machine_limits found
    with nogil:
        found = measure_limits(n_threads, dereference(progress.shared).cancel)
    return {
        "n_threads": found.n_threads,
        "byte_gops": found.byte_gops,
        "read_gbs": found.read_gbs,
        "instruction": _text(found.instruction),
    }


def times_of_product(
    bytes type_name not None,
    Progress progress not None,
    *,
    int width,
    int n_rows,
    int n_columns,
    int n_threads,
    int n_repeats,
) -> dict[str, object]:
    cdef timed_product asked
    cdef product_times found
    asked.type = type_name
    asked.width = width
    asked.n_rows = n_rows
    asked.n_columns = n_columns
    asked.n_threads = n_threads
    asked.n_repeats = n_repeats
    with nogil:
        found = time_product(asked, dereference(progress.shared).cancel)
    return {
        "ours_ns": found.ours_ns,
        "upstreams_ns": found.upstreams_ns,
        "our_bytes": found.our_bytes,
        "upstreams_bytes": found.upstreams_bytes,
        "upstreams_buffer": _text(found.upstreams_buffer),
    }


def quantize_file(
    bytes source not None,
    bytes target not None,
    str type_name not None,
    Progress progress not None,
    *,
    int n_threads,
    bint requantize,
    bint pure,
) -> None:
    cdef quantize_options options
    options.source = source
    options.target = target
    options.type = type_name.encode()
    options.n_threads = n_threads
    options.requantize = requantize
    options.pure = pure
    with nogil:
        quantize(options, dereference(progress.shared))


def list_quantize_types() -> list[str]:
    return [_text(name) for name in quantize_types()]


cdef class SamplingParams:
    """Immutable, so requests may share one."""

    cdef shared_ptr[const sampling_params] shared

    def __cinit__(
        self,
        *,
        uint32_t seed,
        float temperature,
        float dynatemp_range,
        float dynatemp_exponent,
        int top_k,
        float top_p,
        float min_p,
        float typical_p,
        float top_n_sigma,
        float xtc_probability,
        float xtc_threshold,
        float repeat_penalty,
        float frequency_penalty,
        float presence_penalty,
        int repeat_last_n,
        float dry_multiplier,
        float dry_base,
        int dry_allowed_length,
        int dry_penalty_last_n,
        list dry_sequence_breakers not None,
        int mirostat,
        float mirostat_tau,
        float mirostat_eta,
        float adaptive_target,
        float adaptive_decay,
        list biases not None,
        int min_keep,
        int min_tokens,
        list order not None,
    ):
        cdef shared_ptr[sampling_params] made = make_shared[sampling_params]()
        cdef sampling_params * p = made.get()
        cdef logit_bias one
        p.seed = seed
        p.temperature = temperature
        p.dynatemp_range = dynatemp_range
        p.dynatemp_exponent = dynatemp_exponent
        p.top_k = top_k
        p.top_p = top_p
        p.min_p = min_p
        p.typical_p = typical_p
        p.top_n_sigma = top_n_sigma
        p.xtc_probability = xtc_probability
        p.xtc_threshold = xtc_threshold
        p.repeat_penalty = repeat_penalty
        p.frequency_penalty = frequency_penalty
        p.presence_penalty = presence_penalty
        p.repeat_last_n = repeat_last_n
        p.dry_multiplier = dry_multiplier
        p.dry_base = dry_base
        p.dry_allowed_length = dry_allowed_length
        p.dry_penalty_last_n = dry_penalty_last_n
        p.dry_sequence_breakers = dry_sequence_breakers
        p.mirostat = mirostat
        p.mirostat_tau = mirostat_tau
        p.mirostat_eta = mirostat_eta
        p.adaptive_target = adaptive_target
        p.adaptive_decay = adaptive_decay
        for id_, bias in biases:
            one.id = id_
            one.bias = bias
            p.biases.push_back(one)
        p.min_keep = min_keep
        p.min_tokens = min_tokens
        p.order.clear()
        for kind in order:
            p.order.push_back(<sampler_kind><int>kind)
        self.shared = made


cdef class CompiledGrammar:
    """A grammar made ready for one engine's vocabulary. Immutable, for any number of requests."""

    cdef shared_ptr[compiled_grammar] shared


cdef class Engine:
    """The step loop over one model, on a thread of its own. Any thread may call anything."""

    cdef unique_ptr[engine] owned
    cdef kernel_choice chosen
    cdef readonly int n_threads  # that compute; 0 without a model

    def __cinit__(
        self,
        Model source,  # None: an engine over nothing, which costs what the engine itself costs
        *,
        int n_parallel,
        int n_ctx,
        int n_positions,
        int n_cached_numbers,
        int64_t n_cells,
        int n_ubatch,
        int n_threads,
        bint adapt_threads,
        int poll,
        int kv_mode,
        bytes cache_type not None,
        int flash_attention,
        int max_waiting,
        double token_gap_s,
        double slowdown,
        bint speculation,
        double calibrate_s,
        bint check_integrity,
        int fail_token=-1,  # without a model: a pass that has this token fails
    ):
        cdef engine_options running
        running.max_waiting = max_waiting
        running.calibrate_s = calibrate_s
        running.check_integrity = check_integrity
        running.schedule.max_rows = n_ubatch
        running.schedule.token_gap_s = token_gap_s
        running.schedule.slowdown = slowdown
        running.schedule.speculation = speculation
        cdef forward_options through
        cdef null_options nothing
        if source is None:
            nothing.shape.mode = <kv_kind>max(0, kv_mode)
            nothing.shape.n_lanes = n_parallel
            nothing.shape.n_ctx = n_ctx
            nothing.shape.n_cells = n_cells
            nothing.max_rows = n_ubatch
            nothing.fail_token = fail_token
            with nogil:
                self.owned = open_null_engine(nothing, running)
            return
        through.n_lanes = n_parallel
        through.n_ctx = n_ctx
        through.n_positions = n_positions
        through.n_cached_numbers = n_cached_numbers
        through.n_cells = n_cells
        through.max_rows = n_ubatch
        through.n_threads = n_threads
        through.adapt_threads = adapt_threads
        through.poll = poll
        through.kv_mode = kv_mode
        through.cache_type = cache_type
        through.flash_attention = flash_attention
        cdef opened_engine made
        with nogil:
            made = open_engine(source.shared, through, running)
        self.owned = move(made.running)
        self.chosen = made.kernel
        self.n_threads = made.n_threads

    def __dealloc__(self):
        with nogil:
            self.owned.reset()

    def compile_gbnf(self, bytes text not None, bytes root not None) -> CompiledGrammar:
        cdef string text_ = text
        cdef string root_ = root
        made = CompiledGrammar()
        with nogil:
            made.shared = dereference(self.owned).grammars().gbnf(text_, root_)
        return made

    def compile_regex(self, bytes pattern not None) -> CompiledGrammar:
        cdef string pattern_ = pattern
        made = CompiledGrammar()
        with nogil:
            made.shared = dereference(self.owned).grammars().regex(pattern_)
        return made

    def compile_choices(self, list texts not None) -> CompiledGrammar:
        cdef vector[string] texts_ = texts
        made = CompiledGrammar()
        with nogil:
            made.shared = dereference(self.owned).grammars().choices(texts_)
        return made

    def submit(
        self,
        list prompt not None,
        *,
        int max_tokens,
        int n_top,
        bint logprobs_of_left,
        int prompt_top,
        int prompt_top_from,
        SamplingParams sampling,
        int n_indent,
        int64_t t_max_predict_ms,
        int n_keep,
        bint shift_context,
        bint ignore_eos,
        bint cache_prompt,
        bint deterministic,
        bint speculate,
        bint stream,
        bint progress,
        bytes cache_salt not None,
        bytes caller not None,
        list stop not None,
        CompiledGrammar grammar,
        triggers_: tuple[list[int], list[bytes], list[bytes]] | None,
        bytes begun not None,
        list shown not None,
        list adapters not None,
        rules: tuple[list[int], list[list[int]], list[int], int] | None,
        thought: tuple[int, bool, bytes, list[bytes], list[int]] | None,
    ) -> int:
        cdef request ask
        cdef shared_ptr[token_rules] ruled
        cdef vector[scaled_adapter] applied
        cdef Adapter one
        cdef uint64_t id_
        cdef shared_ptr[constraint_params] within
        ask.prompt = prompt
        ask.max_tokens = max_tokens
        ask.n_top = n_top
        ask.logprobs_of_left = logprobs_of_left
        ask.prompt_top = prompt_top
        ask.prompt_top_from = prompt_top_from
        if sampling is not None:
            ask.sampling = sampling.shared
        ask.n_indent = n_indent
        ask.t_max_predict_ms = t_max_predict_ms
        ask.n_keep = n_keep
        ask.shift_context = shift_context
        ask.ignore_eos = ignore_eos
        ask.cache_prompt = cache_prompt
        ask.deterministic = deterministic
        ask.speculate = speculate
        ask.stream = stream
        ask.progress = progress
        ask.cache_salt = cache_salt
        ask.caller = caller
        ask.stop = stop
        ask.shown = shown
        for one, scale in adapters:
            applied.push_back(scaled_adapter(one.shared, <float>scale))
        ask.adapters = make_adapter_set(move(applied))
        if grammar is not None:
            within = make_shared[constraint_params]()
            within.get().grammar = grammar.shared
            within.get().begun = begun
            if triggers_ is not None:
                within.get().lazy = True
                within.get().begin.tokens, within.get().begin.words, within.get().begin.patterns = triggers_
                check_triggers(within.get().begin)
            ask.constraint = <shared_ptr[const constraint_params]>within
        if rules is not None or thought is not None:
            ruled = make_shared[token_rules]()
            if rules is not None:
                ruled.get().allowed, ruled.get().banned, ruled.get().ends, ruled.get().min_tokens = rules
            if thought is not None:
                ruled.get().thought.most = thought[0]
                ruled.get().thought.begun = thought[1]
                ruled.get().thought.start = thought[2]
                ruled.get().thought.ends = thought[3]
                ruled.get().thought.close = thought[4]
            ask.rules = <shared_ptr[const token_rules]>ruled
        with nogil:
            id_ = dereference(self.owned).submit(move(ask))
        return id_

    def cancel(self, uint64_t request_id) -> None:
        dereference(self.owned).cancel(request_id)

    def close(self, bint drain) -> None:
        dereference(self.owned).close(drain)

    def take(self, double timeout_s) -> list | None:
        """What happened since the last call, or None when nothing ever will again."""
        cdef event_batch batch
        cdef bool open_
        with nogil:
            open_ = dereference(self.owned).take(batch, timeout_s)
        if not open_:
            return None
        cdef const char * text = batch.text.data()
        cdef event told
        cdef uint32_t i
        found = []
        for told in batch.events:
            found.append((
                told.request,
                text[told.text.start:told.text.start + told.text.n].decode("utf-8"),
                [batch.tokens[i] for i in range(told.tokens.start, told.tokens.start + told.tokens.n)],
                [
                    (batch.logprobs[i].id, batch.logprobs[i].logprob)
                    for i in range(told.logprobs.start, told.logprobs.start + told.logprobs.n)
                ],
                _prompt_logprobs(batch, told) if told.prompt_top >= 0 else None,
                (told.progress.n_cached, told.progress.n_read, told.progress.seconds)
                if told.progress.n_read >= 0 else None,
                _ending(batch.endings[told.ending]) if told.ending >= 0 else None,
            ))
        return found

    @property
    def n_ctx(self) -> int:
        return dereference(self.owned).shape().n_ctx

    @property
    def n_cells(self) -> int:
        return dereference(self.owned).shape().n_cells

    @property
    def n_parallel(self) -> int:
        return dereference(self.owned).shape().n_lanes

    @property
    def kv_mode(self) -> int:
        return <int>dereference(self.owned).shape().mode

    def kernel(self) -> dict[str, object]:
        return {
            "flash": self.chosen.flash,
            "reason": <int>self.chosen.reason,
            "plain_s": self.chosen.plain_s,
            "flash_s": self.chosen.flash_s,
            "n_lanes": self.chosen.size.n_lanes,
            "depth": self.chosen.size.depth,
            "n_rounds": self.chosen.n_rounds,
            "failure": _text(self.chosen.failure),
        }

    def stats(self) -> dict[str, object]:
        cdef const engine_stats * s = &dereference(self.owned).stats()
        return {
            "n_grammars": dereference(self.owned).grammars().n_compiled(),
            "n_grammar_bytes": dereference(self.owned).grammars().n_bytes(),
            "n_submitted": s.n_submitted.load(),
            "n_finished": s.n_finished.load(),
            "n_cancelled": s.n_cancelled.load(),
            "n_failed": s.n_failed.load(),
            "n_steps": s.n_steps.load(),
            "n_passes": s.n_passes.load(),
            "n_parked": s.n_parked.load(),
            "n_shifted": s.n_shifted.load(),
            "n_moved": s.n_moved.load(),
            "n_failed_passes": s.n_failed_passes.load(),
            "n_prompt_tokens": s.n_prompt_tokens.load(),
            "n_cached_tokens": s.n_cached_tokens.load(),
            "n_prefill_rows": s.n_prefill_rows.load(),
            "n_decode_rows": s.n_decode_rows.load(),
            "n_drafted": s.n_drafted.load(),
            "n_accepted": s.n_accepted.load(),
            "forward_s": s.forward_s.load(),
            "busy_s": s.busy_s.load(),
            "n_waiting": s.n_waiting.load(),
            "n_running": s.n_running.load(),
            "n_decode_workers": s.n_decode_workers.load(),
            "n_prefill_workers": s.n_prefill_workers.load(),
            "n_cells_used": s.n_cells_used.load(),
            "n_cells_running": s.n_cells_running.load(),
            "heartbeat_age_s": dereference(self.owned).clock_s() - s.heartbeat_s.load(),
            "queue_s": _histogram(s.queue.read()),
            "prefill_s": _histogram(s.prefill.read()),
            "first_token_s": _histogram(s.first_token.read()),
            "token_gap_s": _histogram(s.token_gap.read()),
            "step_s": _histogram(s.step.read()),
            "rows_per_step": _histogram(s.rows_per_step.read()),
            "prefill_rows_per_step": _histogram(s.prefill_rows_per_step.read()),
        }

    def trace(self) -> list[dict[str, float]]:
        cdef vector[trace_entry] entries
        with nogil:
            entries = dereference(self.owned).trace()
        return [
            {
                "start_s": e.start_s,
                "forward_s": e.forward_s,
                "end_s": e.end_s,
                "n_decode": e.n_decode,
                "n_prefill": e.n_prefill,
                "n_passes": e.n_passes,
                "n_waiting": e.n_waiting,
            }
            for e in entries
        ]


cdef class Embedder:
    """Vectors of texts. Any thread may call; one call runs at a time."""

    cdef unique_ptr[embedder] owned

    def __cinit__(
        self, Model source not None, *, int n_ctx, int n_positions, int n_threads, int pooling, bint can_rank
    ):
        cdef embedder_options options
        options.n_ctx = n_ctx
        options.n_positions = n_positions
        options.can_rank = can_rank
        options.n_threads = n_threads
        options.pooling = pooling
        with nogil:
            self.owned.reset(new embedder(source.shared, options))

    def __dealloc__(self):
        with nogil:
            self.owned.reset()

    def embed(self, list inputs not None) -> list[list[float]]:
        cdef vector[vector[token]] ids = inputs
        cdef vector[vector[float]] found
        with nogil:
            found = dereference(self.owned).embed(ids)
        return found

    @property
    def n_ctx(self) -> int:
        return dereference(self.owned).n_ctx()

    @property
    def n_out(self) -> int:
        return dereference(self.owned).n_out()

    @property
    def pooling(self) -> int:
        return dereference(self.owned).pooling()


cdef dict _histogram(histogram_snapshot h):
    return {"limits": h.limits, "counts": h.counts, "sum": h.sum}


cdef list _prompt_logprobs(const event_batch & batch, const event & told):
    cdef uint32_t first, i
    cdef uint32_t n_each = told.prompt_top + 1
    cdef list found = [None] if told.prompt_whole else []
    for first in range(
        told.prompt_logprobs.start, told.prompt_logprobs.start + told.prompt_logprobs.n, n_each
    ):
        found.append([
            (batch.prompt_logprobs[i].id, batch.prompt_logprobs[i].logprob)
            for i in range(first, first + n_each)
        ])
    return found


cdef tuple _ending(const ending & e):
    failure = None
    if <int>e.reason == 3:
        failure = _exception(e.failure)
    return (
        <int>e.reason,
        {
            "n_prompt": e.used.n_prompt,
            "n_generated": e.used.n_generated,
            "n_cached": e.used.n_cached,
            "n_evaluated": e.used.n_evaluated,
            "n_parked": e.used.n_parked,
            "n_drafted": e.used.n_drafted,
            "n_accepted": e.used.n_accepted,
            "truncated": e.used.truncated,
            "queued_s": e.used.queued_s,
            "prefill_s": e.used.prefill_s,
            "decode_s": e.used.decode_s,
        },
        _text(e.stop),
        failure,
    )
