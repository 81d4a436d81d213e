"""What people write to name a model."""

from __future__ import annotations

from pathlib import Path

import pytest
from jan_server.errors import ApiError
from jan_server.library.hub import HubFile, choose
from jan_server.library.source import HubSource, LocalSource, UrlSource, id_from, read_source


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("hf:owner/repo", HubSource(repo="owner/repo")),
        ("owner/repo:Q4_K_M", HubSource(repo="owner/repo", quant="Q4_K_M")),
        ("hf.co/owner/repo:q8_0", HubSource(repo="owner/repo", quant="q8_0")),
        ("hf:owner/repo/sub/a.gguf", HubSource(repo="owner/repo", file="sub/a.gguf")),
        ("https://huggingface.co/owner/repo", HubSource(repo="owner/repo")),
        (
            "https://huggingface.co/owner/repo/resolve/main/a.gguf?download=true",
            HubSource(repo="owner/repo", file="a.gguf"),
        ),
        ("https://host/a.gguf#part", UrlSource(url="https://host/a.gguf")),
        ("http://127.0.0.1:1/a.gguf", UrlSource(url="http://127.0.0.1:1/a.gguf")),
        ("file:///a%20b.gguf", LocalSource(path="/a b.gguf")),
        ("/a.gguf", LocalSource(path="/a.gguf")),
    ],
)
def test_each_way_to_name_a_model_is_understood(text: str, source: object) -> None:
    assert read_source(text) == source


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a name",
        "hf:owner",
        "hf:../repo",
        "hf:owner/..",
        "hf:owner/repo/../../x.gguf",
        "hf:owner/repo/a.bin",
        "http://host/a.gguf",
        "https://",
        "https://user:word@host/a.gguf",
        "https://[/a.gguf",
        "hf:owner/repo\n/a.gguf",
        "x" * 5000,
        "x" * 1000,
        "~nobody-of-that-name/a b" + "c" * 3000,
    ],
)
def test_what_is_no_source_is_refused(text: str) -> None:
    with pytest.raises(ApiError) as refused:
        read_source(text)
    assert refused.value.status in (400, 404)
    assert refused.value.param == "source_url"


def test_a_file_that_is_there_wins_over_a_repository_of_that_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "owner").mkdir()
    (tmp_path / "owner/repo").write_text("")
    monkeypatch.chdir(tmp_path)
    assert isinstance(read_source("owner/repo"), LocalSource)


def test_a_source_is_shown_without_what_a_query_may_hold() -> None:
    source = read_source("https://host/a.gguf?signature=secret")
    assert source.text == "https://host/a.gguf"
    assert "secret" not in source.key
    assert source.key != read_source("https://host/a.gguf?signature=other").key
    assert read_source("https://host/a.gguf").key == "https://host/a.gguf"


@pytest.mark.parametrize(
    ("name", "model_id"),
    [
        ("sub/Qwen2-0.5B.Q4_K_M.gguf", "Qwen2-0.5B.Q4_K_M"),
        ("big-00001-of-00003.gguf", "big"),
        ("../../etc/passwd", "passwd"),
        ("a b\0c.gguf", "a-b-c"),
        ("....gguf", "model"),
    ],
)
def test_an_id_is_made_of_plain_characters(name: str, model_id: str) -> None:
    assert id_from(name) == model_id


def files(*names: str) -> list[HubFile]:
    return [HubFile(name=name, n_bytes=1, sha256="") for name in names]


REPO = files(
    "m-Q8_0.gguf",
    "m-Q4_K_M.gguf",
    "mmproj-F16.gguf",
    "imatrix.gguf",
    "BF16/m-BF16-00001-of-00002.gguf",
    "BF16/m-BF16-00002-of-00002.gguf",
)


@pytest.mark.parametrize(
    ("quant", "names"),
    [
        ("", ["m-Q4_K_M.gguf"]),
        ("q8_0", ["m-Q8_0.gguf"]),
        ("BF16", ["BF16/m-BF16-00001-of-00002.gguf", "BF16/m-BF16-00002-of-00002.gguf"]),
    ],
)
def test_a_quant_chooses_every_part_of_one_model(quant: str, names: list[str]) -> None:
    chosen = choose(HubSource(repo="o/r", quant=quant), REPO)
    assert [file.name for file in chosen] == names


def test_a_quant_that_is_not_there_is_told_beside_those_that_are() -> None:
    with pytest.raises(ApiError, match="has no Q2_K; it has BF16, Q4_K_M, Q8_0"):
        choose(HubSource(repo="o/r", quant="Q2_K"), REPO)


def test_a_part_that_is_missing_is_named() -> None:
    with pytest.raises(ApiError, match="lacks a-00002-of-00002"):
        choose(HubSource(repo="o/r"), files("a-00001-of-00002.gguf"))


def test_a_later_part_means_the_whole_model() -> None:
    source = HubSource(repo="o/r", file="BF16/m-BF16-00002-of-00002.gguf")
    assert len(choose(source, REPO)) == 2


def test_a_projector_alone_is_no_model() -> None:
    with pytest.raises(ApiError, match="has no GGUF file"):
        choose(HubSource(repo="o/r"), files("mmproj-F16.gguf"))
