"""llama-server's variables, for those who have them set: LLAMA_ARG_CTX_SIZE and its like.

They count less than our own.
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["from_llama_arguments"]

_FIELDS = {  # variable without its prefix -> setting
    "MODEL": "model",
    "ALIAS": "alias",
    "HOST": "host",
    "PORT": "port",
    "CTX_SIZE": "ctx_size",
    "N_PARALLEL": "parallel",
    "BATCH": "batch_size",
    "UBATCH": "ubatch_size",
    "FLASH_ATTN": "flash_attn",
    "THREADS": "threads",
    "N_GPU_LAYERS": "n_gpu_layers",
    "CACHE_TYPE_K": "cache_type",
    "CACHE_TYPE_V": "cache_type_v",
    "CONTEXT_SHIFT": "context_shift",
    "CHAT_TEMPLATE": "chat_template",
    "CHAT_TEMPLATE_FILE": "chat_template_file",
    "SSL_CERT_FILE": "ssl_certfile",
    "SSL_KEY_FILE": "ssl_keyfile",
    "MODELS_DIR": "models_dir",
    "MODELS_MAX": "models_max",
    "OFFLINE": "offline",
}
_PREFIX = "LLAMA_ARG_"
_SWITCH = {"1": "on", "true": "on", "enabled": "on", "0": "off", "false": "off", "disabled": "off"}


def from_llama_arguments(environment: Mapping[str, str]) -> dict[str, str]:
    """Settings by name. A repository of a hub is a model too."""
    found = {
        field: environment[_PREFIX + name]
        for name, field in _FIELDS.items()
        if environment.get(_PREFIX + name)
    }
    if "flash_attn" in found:  # a switch once, and three words now
        found["flash_attn"] = _SWITCH.get(found["flash_attn"].lower(), found["flash_attn"])
    if "model" not in found and (repo := environment.get(_PREFIX + "HF_REPO")):
        found["model"] = "hf:" + repo
    if key := environment.get("LLAMA_API_KEY"):
        found["api_key"] = key
    return found
