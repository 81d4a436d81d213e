"""What is known of the served model, from its file."""

from __future__ import annotations

from jan_server.api.models.schemas import ModelInfo
from jan_server.inference.served_model import ServedModel

__all__ = ["model_info"]


def model_info(served: ServedModel) -> ModelInfo:
    model = served.model
    facts, stated = model.facts, model.metadata
    file = served.path.stat()
    tags = [tag for tag in (facts.file_type, stated.get("general.size_label")) if tag]
    return ModelInfo(
        id=served.id,
        created=int(file.st_mtime),
        source_url=stated.get("general.source.url", "file://" + str(served.path.resolve())),
        name=stated.get("general.name", served.id),
        description=stated.get("general.description", facts.description),
        ctx_len=facts.n_ctx_train,
        prompt_template=served.template_source,
        max_tokens=served.n_ctx,
        author=stated.get("general.author", ""),
        tags=tags,
        size=file.st_size,
        settings={
            "ctx_len": str(served.n_ctx),
            "ngl": str(served.settings.n_gpu_layers),
            "embedding": "true",
            "n_parallel": str(served.settings.parallel),
        },
        parameters={
            "temperature": "0.8",
            "token_limit": str(served.n_ctx),
            "top_k": "40",
            "top_p": "0.95",
            "stream": "false",
        },
        metadata={
            "architecture": stated.get("general.architecture", ""),
            "quantization": facts.file_type,
            "n_params": str(facts.n_params),
            "engine": "llamacpp",
        },
        assets=[str(served.path)],
    )
