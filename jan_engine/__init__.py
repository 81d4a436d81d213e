"""The engine without the server: load a GGUF file, look at it, run it, quantise it."""

from jan_engine.adapter import Adapter
from jan_engine.backend import Backend, Device, backends, build_info, devices
from jan_engine.chat import (
    AnswerParser,
    ChatDelta,
    ChatMessage,
    ChatPrompt,
    ChatTemplate,
    ToolCall,
    ToolCallDelta,
    Trigger,
    TriggerKind,
)
from jan_engine.constraint import (
    Choices,
    CompiledConstraint,
    Constraint,
    Grammar,
    JsonSchema,
    Regex,
    Triggers,
)
from jan_engine.embedding import Embedder, Pooling
from jan_engine.engine import AsyncEngine
from jan_engine.errors import (
    BackendFailure,
    BadModelFile,
    Cancelled,
    ContextOverflow,
    EngineClosed,
    EngineError,
    InvalidRequest,
    ModelError,
    ModelNotFound,
    OutOfMemory,
    QueueFull,
    Unavailable,
    UnsupportedFeature,
    UnsupportedModelFormat,
    WriteFailed,
)
from jan_engine.json_schema import SchemaGrammar, gbnf_from_schema, read_schema
from jan_engine.kernel import AttentionKernel, KernelReason
from jan_engine.llm import LLM
from jan_engine.model import Model
from jan_engine.quantization import quantize, quantize_types
from jan_engine.runner import GreedyRunner
from jan_engine.sampling import Sampler, Sampling
from jan_engine.stream import Stream
from jan_engine.token_rules import ThoughtLimit, TokenRules
from jan_engine.types import (
    Completion,
    EngineOptions,
    Event,
    Finish,
    FinishReason,
    KvMode,
    PromptProgress,
    Request,
    TokenLogprob,
    Usage,
)

__all__ = [
    "LLM",
    "Adapter",
    "AnswerParser",
    "AsyncEngine",
    "AttentionKernel",
    "Backend",
    "BackendFailure",
    "BadModelFile",
    "Cancelled",
    "ChatDelta",
    "ChatMessage",
    "ChatPrompt",
    "ChatTemplate",
    "Choices",
    "CompiledConstraint",
    "Completion",
    "Constraint",
    "ContextOverflow",
    "Device",
    "Embedder",
    "EngineClosed",
    "EngineError",
    "EngineOptions",
    "Event",
    "Finish",
    "FinishReason",
    "Grammar",
    "GreedyRunner",
    "InvalidRequest",
    "JsonSchema",
    "KernelReason",
    "KvMode",
    "Model",
    "ModelError",
    "ModelNotFound",
    "OutOfMemory",
    "Pooling",
    "PromptProgress",
    "QueueFull",
    "Regex",
    "Request",
    "Sampler",
    "Sampling",
    "SchemaGrammar",
    "Stream",
    "ThoughtLimit",
    "TokenLogprob",
    "TokenRules",
    "ToolCall",
    "ToolCallDelta",
    "Trigger",
    "TriggerKind",
    "Triggers",
    "Unavailable",
    "UnsupportedFeature",
    "UnsupportedModelFormat",
    "Usage",
    "WriteFailed",
    "backends",
    "build_info",
    "devices",
    "gbnf_from_schema",
    "quantize",
    "quantize_types",
    "read_schema",
]
