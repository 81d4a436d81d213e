from collections.abc import Iterable
from typing import Any, Self, final

from jan_engine.errors import EngineError

def take_log() -> list[tuple[int, str]]: ...
def schema_grammar(schema_json: bytes) -> tuple[str, list[str]]: ...
def open_backends(
    folder: bytes, *, only: bytes = b"", crashed: Iterable[tuple[bytes, bytes]] = ()
) -> None: ...
def rate_cpu_variants_in(folder: bytes) -> list[str]: ...
def list_backend_files() -> list[dict[str, object]]: ...
def list_devices() -> list[dict[str, object]]: ...
def list_tensor_types() -> list[tuple[int, str, int, int]]: ...

@final
class Progress:
    def __init__(self) -> None: ...
    @property
    def fraction(self) -> float: ...
    def cancel(self) -> None: ...

@final
class Model:
    def __new__(
        cls,
        path: bytes,
        progress: Progress,
        *,
        mmap: bool,
        mlock: bool,
        check_tensors: bool,
        vocab_only: bool,
        repack: bool,
        matrix_kernels: bool,
        n_gpu_layers: int,
    ) -> Self: ...
    def facts(self) -> dict[str, object]: ...
    def weight_uses(self) -> list[dict[str, object]]: ...
    def vocab_facts(self) -> dict[str, object]: ...
    def metadata(self) -> dict[str, str]: ...
    def chat_template(self, name: str) -> str | None: ...
    def tokenize(self, text: bytes, add_special: bool, parse_special: bool) -> list[int]: ...
    def detokenize(
        self, tokens: list[int], remove_special: bool, unparse_special: bool
    ) -> bytes: ...
    def piece(self, token_id: int, special: bool) -> bytes: ...
    def is_end_of_generation(self, token_id: int) -> bool: ...

@final
class Adapter:
    def __new__(cls, of: Model, path: bytes) -> Self: ...

@final
class ChatPrompt:
    @property
    def text(self) -> str: ...
    def facts(self) -> dict[str, Any]: ...

@final
class ChatTemplate:
    def __new__(cls, of: Model | None, *, source: bytes, bos: bytes, eos: bytes) -> Self: ...
    def render(self, request: bytes) -> ChatPrompt: ...
    def source(self) -> str: ...
    def capabilities(self) -> dict[str, bool]: ...

@final
class ChatStream:
    def __new__(cls, prompt: ChatPrompt) -> Self: ...
    def feed(self, text: bytes) -> list[tuple[str, str, int, str, str, str]]: ...
    def finish(self) -> list[tuple[str, str, int, str, str, str]]: ...
    @property
    def is_complete(self) -> bool: ...
    @property
    def n_parses(self) -> int: ...

@final
class Runner:
    def __new__(
        cls,
        source: Model,
        *,
        n_ctx: int,
        n_ubatch: int,
        n_threads: int,
        n_positions: int,
        cache_type: bytes,
        flash_attention: int,
    ) -> Self: ...
    def feed(self, tokens: list[int]) -> None: ...
    def argmax(self) -> int: ...
    def logits(self) -> list[float]: ...
    def cancel(self) -> None: ...
    def clear(self) -> None: ...
    @property
    def n_past(self) -> int: ...
    @property
    def n_ctx(self) -> int: ...
    @property
    def n_threads(self) -> int: ...

class Gauge:
    def __new__(
        cls,
        source: Model,
        *,
        n_ctx: int,
        n_streams: int,
        n_batch: int,
        n_ubatch: int,
        n_wanted: int,
        n_threads: int,
        n_positions: int,
        poll: int,
        seed: int,
        cache_type_k: bytes,
        cache_type_v: bytes,
        flash_attention: int,
        unified: bool,
    ) -> Self: ...
    def time(
        self, n_depth: int, n_prompt: int, n_gen: int, progress: Progress
    ) -> tuple[int, int]: ...
    @property
    def n_threads(self) -> int: ...
    @property
    def flash(self) -> bool: ...

class Lockstep:
    def __new__(cls, base: Gauge | None, others: list[Gauge]) -> Self: ...
    def score(
        self,
        window: list[int],
        n_unscored: int,
        keep: bytearray | memoryview | None,
        progress: Progress,
    ) -> list[list[tuple[float, float, float, bool]]]: ...
    def score_against(
        self,
        kept: bytes | bytearray | memoryview,
        window: list[int],
        n_unscored: int,
        progress: Progress,
    ) -> list[list[tuple[float, float, float, bool]]]: ...

def limits_of_machine(n_threads: int, progress: Progress) -> dict[str, object]: ...
def times_of_product(
    type_name: bytes,
    progress: Progress,
    *,
    width: int,
    n_rows: int,
    n_columns: int,
    n_threads: int,
    n_repeats: int,
) -> dict[str, object]: ...
def quantize_file(
    source: bytes,
    target: bytes,
    type_name: str,
    progress: Progress,
    *,
    n_threads: int,
    requantize: bool,
    pure: bool,
) -> None: ...
def list_quantize_types() -> list[str]: ...

@final
class SamplingParams:
    def __new__(
        cls,
        *,
        seed: int,
        temperature: float,
        dynatemp_range: float,
        dynatemp_exponent: float,
        top_k: int,
        top_p: float,
        min_p: float,
        typical_p: float,
        top_n_sigma: float,
        xtc_probability: float,
        xtc_threshold: float,
        repeat_penalty: float,
        frequency_penalty: float,
        presence_penalty: float,
        repeat_last_n: int,
        dry_multiplier: float,
        dry_base: float,
        dry_allowed_length: int,
        dry_penalty_last_n: int,
        dry_sequence_breakers: list[bytes],
        mirostat: int,
        mirostat_tau: float,
        mirostat_eta: float,
        adaptive_target: float,
        adaptive_decay: float,
        biases: list[tuple[int, float]],
        min_keep: int,
        min_tokens: int,
        order: list[int],
    ) -> Self: ...

@final
class CompiledGrammar: ...

@final
class Engine:
    def __new__(
        cls,
        source: Model | None,
        *,
        n_parallel: int,
        n_ctx: int,
        n_positions: int,
        n_cached_numbers: int,
        n_cells: int,
        n_ubatch: int,
        n_threads: int,
        adapt_threads: bool,
        poll: int,
        kv_mode: int,
        cache_type: bytes,
        flash_attention: int,
        max_waiting: int,
        token_gap_s: float,
        slowdown: float,
        speculation: bool,
        calibrate_s: float,
        check_integrity: bool,
        fail_token: int = -1,
    ) -> Self: ...
    def compile_gbnf(self, text: bytes, root: bytes) -> CompiledGrammar: ...
    def compile_regex(self, pattern: bytes) -> CompiledGrammar: ...
    def compile_choices(self, texts: list[bytes]) -> CompiledGrammar: ...
    def submit(
        self,
        prompt: list[int],
        *,
        max_tokens: int,
        n_top: int,
        logprobs_of_left: bool,
        prompt_top: int,
        prompt_top_from: int,
        sampling: SamplingParams | None,
        n_indent: int,
        t_max_predict_ms: int,
        n_keep: int,
        shift_context: bool,
        ignore_eos: bool,
        cache_prompt: bool,
        deterministic: bool,
        speculate: bool,
        stream: bool,
        progress: bool,
        cache_salt: bytes,
        caller: bytes,
        stop: list[bytes],
        grammar: CompiledGrammar | None,
        triggers_: tuple[list[int], list[bytes], list[bytes]] | None,
        begun: bytes,
        shown: list[int],
        adapters: list[tuple[Adapter, float]],
        rules: tuple[list[int], list[list[int]], list[int], int] | None,
        thought: tuple[int, bool, bytes, list[bytes], list[int]] | None,
    ) -> int: ...
    def cancel(self, request_id: int) -> None: ...
    def close(self, drain: bool) -> None: ...
    def take(
        self, timeout_s: float
    ) -> (
        list[
            tuple[
                int,
                str,
                list[int],
                list[tuple[int, float]],
                list[list[tuple[int, float]] | None] | None,
                tuple[int, int, float] | None,
                tuple[int, dict[str, Any], str, EngineError | None] | None,
            ]
        ]
        | None
    ): ...
    @property
    def n_threads(self) -> int: ...
    @property
    def n_ctx(self) -> int: ...
    @property
    def n_cells(self) -> int: ...
    @property
    def n_parallel(self) -> int: ...
    @property
    def kv_mode(self) -> int: ...
    def kernel(self) -> dict[str, Any]: ...
    def stats(self) -> dict[str, Any]: ...
    def trace(self) -> list[dict[str, float]]: ...

@final
class Embedder:
    def __new__(
        cls,
        source: Model,
        *,
        n_ctx: int,
        n_positions: int,
        n_threads: int,
        pooling: int,
        can_rank: bool,
    ) -> Self: ...
    def embed(self, inputs: list[list[int]]) -> list[list[float]]: ...
    @property
    def n_ctx(self) -> int: ...
    @property
    def n_out(self) -> int: ...
    @property
    def pooling(self) -> int: ...
