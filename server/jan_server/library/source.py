"""What a person may name to get a model: a place of a hub, an address, a file or folder here.

Names from elsewhere choose what is fetched. They never become a path on this machine.
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import msgspec

from jan_server.errors import ApiError

__all__ = ["HubSource", "LocalSource", "Source", "UrlSource", "id_from", "read_source"]

_OWNER = r"[A-Za-z0-9][\w.-]{0,95}"
_HUB = re.compile(
    rf"(?P<repo>{_OWNER}/{_OWNER})(?:/(?P<file>[\w.+/-]+\.gguf)|:(?P<quant>[\w.-]{{1,64}}))?",
    re.ASCII,
)
_HUB_HOSTS = {"huggingface.co", "hf.co", "www.huggingface.co"}
_HUB_FILE = re.compile(
    rf"/({_OWNER}/{_OWNER})/(?:resolve|blob)/[\w.-]+/([\w.+/-]+\.gguf)", re.ASCII
)
_HUB_PREFIXES = ("hf:", "hf.co/", "huggingface.co/")
_THIS_MACHINE = {"127.0.0.1", "::1", "localhost"}
_PART = re.compile(r"-\d{5}-of-\d{5}$")
_MOST_CHARACTERS = 2048


class HubSource(msgspec.Struct, frozen=True, kw_only=True):
    """Without `file`, the file of `quant` is looked for, or of the usual one."""

    repo: str
    file: str = ""
    quant: str = ""

    @property
    def text(self) -> str:
        return f"hf:{self.repo}" + (
            f"/{self.file}" if self.file else f":{self.quant}" * bool(self.quant)
        )

    @property
    def key(self) -> str:
        return self.text


class UrlSource(msgspec.Struct, frozen=True, kw_only=True):
    url: str

    @property
    def text(self) -> str:
        """Without what a query may hold: it is shown to others."""
        return self.url.partition("?")[0]

    @property
    def key(self) -> str:
        """Another one for every query, since other queries name other files: a hash of the whole
        address stands where a fragment would, which no address here has.
        """
        if self.url == self.text:
            return self.text
        return f"{self.text}#{hashlib.sha256(self.url.encode()).hexdigest()[:32]}"


class LocalSource(msgspec.Struct, frozen=True, kw_only=True):
    """A file or a folder. It is used where it lies."""

    path: str

    @property
    def text(self) -> str:
        return "file://" + self.path

    @property
    def key(self) -> str:
        return self.text


Source = HubSource | UrlSource | LocalSource
"""`text` is for people. `key` tells sources apart: what is kept or fetched is found by it."""


def read_source(text: str) -> Source:
    """Raises 400 where it is none."""
    text = text.strip()
    if not text:
        raise _wrong("names nothing")
    if len(text) > _MOST_CHARACTERS or not text.isprintable():
        raise _wrong("is too long, or has characters that cannot be printed")
    if text.startswith("file://"):
        return _local(unquote(urlsplit(text).path))
    if text.startswith(("https://", "http://")):
        return _url(text)
    for prefix in _HUB_PREFIXES:
        if text.startswith(prefix):
            return _hub(text.removeprefix(prefix), text)
    if text.startswith((".", "/", "~")) or _is_here(text):
        return _local(text)
    if _HUB.fullmatch(text):
        return _hub(text, text)
    raise _wrong(f"there is no file {text}; of a hub it is hf:OWNER/REPO[:QUANT]", 404)


def id_from(file_name: str) -> str:
    """What a model is called whose file has this name."""
    stem = _PART.sub("", file_name.rpartition("/")[2].removesuffix(".gguf"))
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", stem).strip("-.")[:200] or "model"


def _is_here(text: str) -> bool:
    try:
        return Path(text).exists()
    except OSError:  # longer than any name may be
        return False


def _local(path: str) -> LocalSource:
    expanded = os.path.expanduser(path)  # noqa: PTH111 - leaves a user that is not there
    return LocalSource(path=os.path.abspath(expanded))  # noqa: PTH100 - keeps links


def _hub(name: str, text: str) -> HubSource:
    found = _HUB.fullmatch(name)
    file = (found["file"] or "") if found else ""
    if found is None or ".." in file.split("/"):
        raise _wrong(f"{text} is not of the form hf:OWNER/REPO[:QUANT] or hf:OWNER/REPO/FILE.gguf")
    return HubSource(repo=found["repo"], file=file, quant=found["quant"] or "")


def _url(text: str) -> Source:
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port  # reading a port raises where it is none
    except ValueError:
        raise _wrong("is no address") from None
    if not host:
        raise _wrong("is no address")
    if host in _HUB_HOSTS:
        of_file = _HUB_FILE.fullmatch(unquote(parts.path))
        if of_file:
            return _hub(f"{of_file[1]}/{of_file[2]}", text)
        return _hub(parts.path.strip("/"), text)
    if parts.scheme == "http" and host not in _THIS_MACHINE:
        raise _wrong("use https: what comes over http may be anything")
    if parts.username is not None:
        raise _wrong("a password does not belong into an address")
    return UrlSource(url=text.partition("#")[0])


def _wrong(why: str, status: int = 400) -> ApiError:
    code = "invalid_parameter" if status == 400 else "model_not_found"
    return ApiError(status, code, f"source_url: {why}", param="source_url")
