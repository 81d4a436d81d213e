"""The house's own rules, where no linter knows them."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT

pytestmark = pytest.mark.unsanitized

SOURCE_FOLDERS = ("csrc", "jan_engine", "jan_bench", "server", "bench", "tests", "vendor")
SOURCE_SUFFIXES = {".py", ".pyx", ".pxd", ".pyi", ".h", ".cpp", ".cmake", ".css", ".js"}
MAX_LINES = 400
LONGER_FOR_A_REASON = {  # path -> reason
    "jan_engine/_core.pxd": "mirrors csrc name for name; nothing in it but declarations",
    "jan_engine/_core.pyx": "one extension, one file; nothing in it but conversion",
}
NAMES_THAT_SAY_NOTHING = {"util", "utils", "helper", "helpers", "common", "manager", "misc"}
# Upstream's headers stay behind these; scheduling and bookkeeping are tested without a model.
MAY_INCLUDE_UPSTREAM = {
    "abort_guard",
    "adapter",
    "attention",
    "attention_cells",
    "attention_lanes",
    "backend",
    "buffer_type",  # csrc/kernels is compiled into upstream's CPU backend
    "cache_type",
    "columns",
    "context",
    "embedder",
    "formats",
    "gauge",
    "llama_chain",
    "log",
    "machine_loops",
    "matrix_product",
    "matrix_switch",
    "model",
    "multiply",
    "pack",
    "llama_forward",
    "processors",
    "product_times",
    "quantize",
    "runner",
    "special_tokens",
    "tensor_type",
    "thread_pool",
    "trial",
    "vocab",
    "weight_use",
    "worker_team",
}
# Of upstream's common/, which promises no interface: a new pin may break this file and no other.
MAY_INCLUDE_COMMON = [
    "csrc/chat_bridge.cpp",
    "tests/csrc/server-chat.h",  # upstream's own test of it
    "tests/csrc/test_chat_upstream.cpp",
]
COMMON_HEADER = re.compile(r'#include "common/')
UPSTREAM_HEADER = re.compile(r'#include "(llama|ggml|gguf)(-[\w-]+)?\.h"')
DOCUMENTS = ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "vendor/llama.cpp/README.md")
SQL = re.compile(r"\b(SELECT .+ FROM|INSERT INTO|UPDATE .+ SET|DELETE FROM|CREATE TABLE)\b")


def tracked() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [ROOT / line for line in listed.stdout.splitlines() if (ROOT / line).is_file()]


def sources() -> list[Path]:
    return [
        path
        for path in tracked()
        if path.relative_to(ROOT).parts[0] in SOURCE_FOLDERS and path.suffix in SOURCE_SUFFIXES
    ]


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_the_top_level_holds_what_a_newcomer_expects() -> None:
    shown = {name_of(path).split("/")[0] for path in tracked()}
    folders = {"csrc", "vendor", "jan_engine", "jan_bench", "server", "bench", "tests", "docs"}
    prose = {"README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE"}
    build = {"CMakeLists.txt", "pyproject.toml", "Makefile"}
    dot_files = {".clang-format", ".editorconfig", ".gitignore"}
    assert shown <= folders | prose | build | dot_files | {".ci"}


def test_no_file_is_longer_than_an_idea() -> None:
    long = {name_of(path) for path in sources() if len(path.read_text().splitlines()) > MAX_LINES}
    assert long == set(LONGER_FOR_A_REASON)


def test_names_say_what_a_thing_is() -> None:
    assert not [name_of(p) for p in sources() if p.stem in NAMES_THAT_SAY_NOTHING]


def test_csrc_knows_nothing_of_python() -> None:
    for path in (ROOT / "csrc").rglob("*.*"):
        assert "Python.h" not in path.read_text(), path.name


def test_upstream_is_included_only_where_it_is_wrapped() -> None:
    for path in (ROOT / "csrc").rglob("*.*"):
        if UPSTREAM_HEADER.search(path.read_text()):
            assert path.stem in MAY_INCLUDE_UPSTREAM, path.name


def test_one_file_computes() -> None:
    """It holds what a pass needs held; a call from elsewhere would do without."""
    calls = re.compile(r"\b(llama_init_from_model|llama_decode|llama_encode)\(")
    callers = [
        path.name for path in (ROOT / "csrc").rglob("*.cpp") if calls.search(path.read_text())
    ]
    assert callers == ["context.cpp"]


def test_one_file_includes_what_promises_no_interface() -> None:
    found = [
        name_of(path)
        for path in sources()
        if path.suffix in {".h", ".cpp", ".pxd", ".pyx"} and COMMON_HEADER.search(path.read_text())
    ]
    assert sorted(found) == MAY_INCLUDE_COMMON


def test_sql_is_written_in_stores_only() -> None:
    for path in sources():
        if path.suffix == ".py" and name_of(path).startswith("server/") and path.stem != "store":
            assert not SQL.search(path.read_text()), name_of(path)


def test_nothing_is_written_into_upstream() -> None:
    ours = {
        "CMakeLists.txt",
        "README.md",
        "common_log.cpp",
        "common_silence.h",
        "cuda.cmake",
        "fetch.py",
        "jinja_hooks.h",
        "llama_common.cmake",
        "local_time.h",
        "matrix_kernels.cmake",
        "patient_wait.h",
        "pin.toml",
        "processor.cmake",
        "regex_hooks.h",
        "template_budget.cpp",
        "template_budget.h",
        "text_is_cut.h",
        "tile_configuration.h",
        "vocab_hooks.h",
        "vocabulary.cmake",
        "vulkan.cmake",
        "vulkan_layer_settings.h",
        "schema_seam.cpp",
    }
    found = {name_of(p) for p in tracked() if name_of(p).startswith("vendor/")}
    assert found == {f"vendor/llama.cpp/{name}" for name in ours}


@pytest.mark.parametrize("module", sorted((ROOT / "jan_engine").glob("*.py")), ids=lambda p: p.stem)
def test_public_names_are_listed_once_and_real(module: Path) -> None:
    tree = ast.parse(module.read_text())
    listed = [
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__"
    ]
    if module.stem == "__main__":
        assert not listed
        return
    assert len(listed) == 1
    names = listed[0]
    assert len(names) == len(set(names))  # ruff keeps them sorted
    defined = {node.name for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef)}
    defined |= {
        alias.asname or alias.name
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    defined |= {
        getattr(node.targets[0], "id", "") for node in tree.body if isinstance(node, ast.Assign)
    }
    assert set(names) <= defined


def test_paths_that_the_documents_name_exist() -> None:
    folders = "|".join((*SOURCE_FOLDERS, "docs"))
    for document in [*(ROOT / d for d in DOCUMENTS), *(ROOT / "docs").rglob("*.md")]:
        for found in re.findall(rf"`((?:{folders})/[\w./-]*)`", document.read_text()):
            built = found.startswith(("vendor/llama.cpp/tree", "bench/results"))
            assert built or (ROOT / found).exists(), f"{name_of(document)} names {found}"


def test_makefile_verbs_in_the_documents_exist() -> None:
    verbs = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for document in DOCUMENTS:
        for verb in re.findall(r"`make ([a-z]+)", (ROOT / document).read_text()):
            assert verb in verbs, f"{document} names make {verb}"


def test_architecture_decisions_have_a_number_each_and_every_part() -> None:
    records = sorted((ROOT / "docs/adr").glob("*.md"))
    numbers = [int(path.name[:4]) for path in records]
    assert len(numbers) == len(set(numbers))
    for record in records:
        text = record.read_text()
        for part in ("## Context", "## Decision", "## Rejected", "## Consequences"):
            assert part in text, f"{record.name} lacks {part}"
