"""Models in folders of other tools: read where they lie, never written to.

A plain folder of GGUF files, the hub's cache, or Ollama's blobs with their manifests.
"""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from jan_engine.errors import ModelError
from jan_server.library.facts import header_facts, model_headers
from jan_server.library.records import ModelFile, StoredModel
from jan_server.library.source import id_from

__all__ = ["find_models", "kind_of", "known_folder", "linked_model", "packaged_model"]

_log = logging.getLogger("jan_server")
_LATER_PART = re.compile(r"-(?!00001)\d{5}-of-\d{5}\.gguf$")
_REPO_FOLDER = re.compile(r"models--([\w.-]+?)--([\w.-]+)", re.ASCII)
_DIGEST = re.compile(r"sha256:([0-9a-f]{64})")
_MODEL_LAYER = "application/vnd.ollama.image.model"
_PROJECTOR_LAYER = "application/vnd.ollama.image.projector"
_MOST_MODELS = 2000


class _Layer(msgspec.Struct):
    mediaType: str = ""
    digest: str = ""


class _Manifest(msgspec.Struct):
    layers: list[_Layer] = []


class _Candidate(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    path: Path
    source: str
    sha256: str = ""
    projector: Path | None = None


def known_folder(name: str, environment: Mapping[str, str] = os.environ) -> Path:
    """`huggingface` and `ollama` are where those tools keep theirs; else a path."""
    home = Path.home()
    if name == "huggingface":
        cache = environment.get("HF_HOME") or home / ".cache/huggingface"
        return Path(environment.get("HF_HUB_CACHE") or Path(cache) / "hub").absolute()
    if name == "ollama":
        return Path(environment.get("OLLAMA_MODELS") or home / ".ollama/models").absolute()
    return Path(name).expanduser().absolute()


def kind_of(folder: Path) -> str:
    if (folder / "blobs").is_dir() and (folder / "manifests").is_dir():
        return "ollama"
    if any(_REPO_FOLDER.fullmatch(child.name) for child in folder.iterdir()):
        return "huggingface"
    return "folder"


def find_models(folder: Path, kind: str, known: Mapping[str, StoredModel]) -> list[StoredModel]:
    """`known`, by path, are not read again where their file is as it was. A folder that is gone
    for now, as of a disk that was taken out, has what it had. Takes its time.
    """
    if not folder.is_dir():
        return list(known.values())
    find = {"ollama": _in_ollama, "huggingface": _in_cache}.get(kind, _in_folder)
    found: list[StoredModel] = []
    for candidate in find(folder):
        if len(found) == _MOST_MODELS:
            _log.warning("%s: only the first %d models are listed", folder, _MOST_MODELS)
            break
        try:
            found.append(_described(candidate, str(folder), known.get(str(candidate.path))))
        except (ModelError, OSError) as error:
            _log.info("%s is not listed: %s", candidate.path, error)
    return found


def linked_model(path: Path, model_id: str) -> StoredModel:
    """A file that a person named. Raises ModelNotFound or BadModelFile."""
    candidate = _Candidate(id=model_id or id_from(path.name), path=path, source=f"file://{path}")
    return msgspec.structs.replace(_described(candidate, "", None), placement="linked")


def packaged_model(path: Path, model_id: str) -> StoredModel:
    """One that comes with the package. Raises ModelNotFound or BadModelFile."""
    model = msgspec.structs.replace(linked_model(path, model_id), placement="packaged")
    return msgspec.structs.replace(model, source=f"package:{model_id}")


def _described(candidate: _Candidate, folder: str, known: StoredModel | None) -> StoredModel:
    modified_ns = candidate.path.stat().st_mtime_ns if candidate.path.exists() else 0
    if known is not None and known.modified_ns == modified_ns:
        return msgspec.structs.replace(known, id=candidate.id)
    headers = model_headers(candidate.path)
    paths = [Path(header.path) for header in headers]
    files = [ModelFile(path=str(path), n_bytes=path.stat().st_size) for path in paths]
    files[0] = msgspec.structs.replace(files[0], sha256=candidate.sha256)
    if candidate.projector is not None and candidate.projector.is_file():
        n_bytes = candidate.projector.stat().st_size
        files.append(ModelFile(path=str(candidate.projector), n_bytes=n_bytes, is_projector=True))
    facts: dict[str, Any] = header_facts(headers)
    return StoredModel(
        id=candidate.id,
        placement="found",
        source=candidate.source,
        folder=folder,
        files=files,
        created_at=int(modified_ns / 1e9) or int(time.time()),
        modified_ns=modified_ns,
        **facts,
    )


def _in_folder(folder: Path) -> Iterator[_Candidate]:
    paths = [p for p in sorted(folder.rglob("*.gguf")) if not _LATER_PART.search(p.name)]
    stems = [id_from(path.name) for path in paths]
    for path, stem in zip(paths, stems, strict=True):
        inside = path.relative_to(folder).with_suffix("").as_posix()
        model_id = stem if stems.count(stem) == 1 else inside
        yield _Candidate(id=model_id, path=path, source=f"file://{path}")


def _in_cache(folder: Path) -> Iterator[_Candidate]:
    """Of each repository the revision that came last; its files are links into its blobs."""
    for repo_folder in sorted(folder.iterdir()):
        repo = _REPO_FOLDER.fullmatch(repo_folder.name)
        snapshots = repo_folder / "snapshots"
        if repo is None or not snapshots.is_dir():
            continue
        latest = max(snapshots.iterdir(), key=lambda one: one.stat().st_mtime, default=None)
        if latest is None:
            continue
        for path in sorted(latest.rglob("*.gguf")):
            if not _LATER_PART.search(path.name):
                name = path.relative_to(latest).as_posix()
                yield _Candidate(
                    id=id_from(path.name), path=path, source=f"hf:{repo[1]}/{repo[2]}/{name}"
                )


def _in_ollama(folder: Path) -> Iterator[_Candidate]:
    manifests = folder / "manifests"
    for file in sorted(manifests.rglob("*")):
        place = file.relative_to(manifests).parts
        if len(place) != 4 or not file.is_file():
            continue
        try:
            manifest = msgspec.json.decode(file.read_bytes(), type=_Manifest)
        except (OSError, msgspec.DecodeError):
            continue
        host, owner, name, tag = place
        blobs = {layer.mediaType: _DIGEST.fullmatch(layer.digest) for layer in manifest.layers}
        model, projector = blobs.get(_MODEL_LAYER), blobs.get(_PROJECTOR_LAYER)
        if model is None:
            continue
        full_name = f"{name}:{tag}" if owner == "library" else f"{owner}/{name}:{tag}"
        yield _Candidate(
            id=full_name,
            path=folder / "blobs" / f"sha256-{model[1]}",
            source=f"ollama:{host}/{owner}/{name}:{tag}",
            sha256=model[1],
            projector=folder / "blobs" / f"sha256-{projector[1]}" if projector else None,
        )
