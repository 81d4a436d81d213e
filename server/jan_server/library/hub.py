"""Which files of a hub's repository make a model, through huggingface_hub: its endpoint, its token,
its offline mode, its errors.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

import msgspec

from jan_server.errors import ApiError
from jan_server.library.source import HubSource
from jan_server.library.transfer import Fetch

__all__ = ["HubFile", "choose", "find_on_hub"]

_SHA256 = re.compile(r"[0-9a-f]{64}")
_PART = re.compile(r"(?P<stem>.*)-(?P<index>\d{5})-of-(?P<count>\d{5})\.gguf")
_PROJECTOR = re.compile(r"(^|[-_./])mmproj([-_.]|$)", re.IGNORECASE)
_NO_MODEL = re.compile(r"(^|[-_./])(mmproj|imatrix|mtp)([-_.]|$)", re.IGNORECASE)
_QUANT = re.compile(
    r"(?:^|[-_./])((?:UD-)?(?:I?Q\d_[A-Z0-9_]+|TQ\d_0|MXFP4(?:_MOE)?|NVFP4|BF16|F16|F32|FP16))(?=[-_.]|$)",
    re.IGNORECASE,
)
_USUAL = ("Q4_K_M", "Q4_K_S", "MXFP4", "Q4_0", "Q5_K_M", "Q8_0")  # what is taken unless asked


class HubFile(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    n_bytes: int | None
    sha256: str


def find_on_hub(source: HubSource, *, with_projector: bool) -> tuple[list[Fetch], Fetch | None]:
    """The files of a model in order, and the one that reads images for it. Asks the hub.

    Raises 404 for what is not there, 502 where the hub refuses, 503 offline.
    """
    from huggingface_hub import HfApi, hf_hub_url
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
    )
    from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

    endpoint = os.environ.get("HF_ENDPOINT", "").rstrip("/") or None
    try:
        info = HfApi(endpoint=endpoint).model_info(source.repo, files_metadata=True, timeout=20)
    except OfflineModeIsEnabled:
        raise ApiError(503, "offline", f"{source.text}: HF_HUB_OFFLINE is set") from None
    except GatedRepoError:
        message = f"{source.repo} is open to accounts that were let in: set HF_TOKEN to one's"
        raise ApiError(502, "access_refused", message) from None
    except RepositoryNotFoundError:
        message = f"the hub has no {source.repo}, or shows it to other accounts only (HF_TOKEN)"
        raise ApiError(404, "model_not_found", message) from None
    except (HfHubHTTPError, OSError, ValueError) as error:
        first_line = str(error).strip().partition("\n")[0]
        raise ApiError(502, "download_failed", f"the hub did not answer: {first_line}") from error
    except Exception as error:  # its HTTP client's own, which is no OSError
        raise ApiError(502, "download_failed", f"the hub did not answer: {error}") from error
    files = [
        HubFile(name=one.rfilename, n_bytes=one.size, sha256=_sha256(one.lfs))
        for one in info.siblings or ()
        if one.rfilename.endswith(".gguf")
    ]
    headers: dict[str, str] = build_hf_headers()

    def wanted(file: HubFile) -> Fetch:
        return Fetch(
            url=hf_hub_url(source.repo, file.name, revision=info.sha, endpoint=endpoint),
            name=file.name.rpartition("/")[2],
            headers=headers,
            n_bytes=file.n_bytes,
            sha256=file.sha256,
        )

    chosen = choose(source, files)
    projector = _projector(files) if with_projector else None
    return [wanted(file) for file in chosen], wanted(projector) if projector else None


def choose(source: HubSource, files: Iterable[HubFile]) -> list[HubFile]:
    """Every part of the model that was asked for, in order. Raises 404."""
    by_name = {file.name: file for file in files}
    if source.file:
        first = _first_part(source.file)
        if first not in by_name:
            raise _missing(source, f"{source.repo} has no file {source.file}")
        return _parts(source, first, by_name)
    candidates = sorted(
        (name for name in by_name if not _NO_MODEL.search(name) and _first_part(name) == name),
        key=lambda name: (name.count("/"), len(name), name),
    )
    if not candidates:
        raise _missing(source, f"{source.repo} has no GGUF file")
    if source.quant:
        of_quant = [name for name in candidates if _has(name, source.quant)]
        if not of_quant:
            there = sorted(
                {found[1].upper() for name in candidates if (found := _QUANT.search(name))}
            )
            known = f"; it has {', '.join(there)}" if there else ""
            raise _missing(source, f"{source.repo} has no {source.quant}{known}")
        return _parts(source, of_quant[0], by_name)
    for usual in _USUAL:
        for name in candidates:
            if _has(name, usual):
                return _parts(source, name, by_name)
    return _parts(source, candidates[0], by_name)


def _has(name: str, quant: str) -> bool:
    """A quant in a file's name, or in its folder's."""
    return bool(re.search(rf"(^|[-_./]){re.escape(quant)}([-_.]|/|$)", name[:-5], re.IGNORECASE))


def _first_part(name: str) -> str:
    part = _PART.fullmatch(name)
    return f"{part['stem']}-00001-of-{part['count']}.gguf" if part else name


def _parts(source: HubSource, first: str, by_name: dict[str, HubFile]) -> list[HubFile]:
    part = _PART.fullmatch(first)
    if part is None:
        return [by_name[first]]
    count = int(part["count"])
    names = [f"{part['stem']}-{i:05}-of-{count:05}.gguf" for i in range(1, count + 1)]
    missing = [name for name in names if name not in by_name]
    if missing:
        raise _missing(source, f"{source.repo} lacks {missing[0]}")
    return [by_name[name] for name in names]


def _projector(files: Iterable[HubFile]) -> HubFile | None:
    there = [file for file in files if _PROJECTOR.search(file.name)]
    return min(there, key=lambda file: (not _has(file.name, "F16"), file.name), default=None)


def _sha256(lfs: object) -> str:
    """Of what a server claims, nothing but a hash is taken for one."""
    claimed = getattr(lfs, "sha256", None)
    return claimed if isinstance(claimed, str) and _SHA256.fullmatch(claimed) else ""


def _missing(source: HubSource, why: str) -> ApiError:
    return ApiError(404, "model_not_found", why, param="source_url")
