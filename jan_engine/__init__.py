"""The engine without the server: load a GGUF file, look at it, run it, quantise it."""

from jan_engine.backend import Backend, Device, backends, build_info, devices
from jan_engine.errors import (
    BackendFailure,
    BadModelFile,
    Cancelled,
    ContextOverflow,
    EngineError,
    InvalidRequest,
    ModelError,
    ModelNotFound,
    OutOfMemory,
    Unavailable,
    UnsupportedFeature,
    UnsupportedModelFormat,
)
from jan_engine.model import Model
from jan_engine.quantization import quantize, quantize_types
from jan_engine.runner import GreedyRunner

__all__ = [
    "Backend",
    "BackendFailure",
    "BadModelFile",
    "Cancelled",
    "ContextOverflow",
    "Device",
    "EngineError",
    "GreedyRunner",
    "InvalidRequest",
    "Model",
    "ModelError",
    "ModelNotFound",
    "OutOfMemory",
    "Unavailable",
    "UnsupportedFeature",
    "UnsupportedModelFormat",
    "backends",
    "build_info",
    "devices",
    "quantize",
    "quantize_types",
]
