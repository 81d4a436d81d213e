"""Command lines and variables of llama-server's."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from jan_server.cli.llama_server.flag import Fate, Flag
from jan_server.cli.llama_server.flags import FLAGS, OLDER
from jan_server.cli.llama_server.page import with_tables
from jan_server.cli.settings import read_settings
from jan_server.config import Settings

from tests.conftest import ROOT

_ARG_CPP = ROOT / "vendor/llama.cpp/tree/common/arg.cpp"
_NAMES = re.compile(
    r"\s*(?://[^\n]*\s*)?\{(?P<names>[^}]*)\}\s*,\s*(?:\{(?P<negated>[^}]*)\}\s*,)?"
)
_HANDLER = re.compile(r"\]\(common_params &[^,)]*((?:, [^)]*)?)\)")


def _options_of_llama_server() -> Iterator[tuple[frozenset[str], int, str]]:
    """Spellings, how many values follow, and the variable: as the program would have them."""
    for option in _ARG_CPP.read_text().split("add_opt(common_arg(")[1:]:
        examples = re.search(r"set_examples\(([^)]*)\)", option)
        meant = examples[1] if examples else "LLAMA_EXAMPLE_COMMON"
        if "mmproj_examples" in meant:
            meant += "LLAMA_EXAMPLE_SERVER"
        excluded = re.search(r"set_excludes\(([^)]*)\)", option)
        if not re.search(r"LLAMA_EXAMPLE_(SERVER|COMMON)", meant):
            continue
        if excluded and "LLAMA_EXAMPLE_SERVER" in excluded[1]:
            continue
        found, handler = _NAMES.match(option), _HANDLER.search(option)
        assert found, option
        assert handler, option
        values = [one for one in handler[1].split(",") if one.strip() and "bool" not in one]
        variable = re.search(r'set_env\("(LLAMA_[^"]*)"', option)
        for names in (found["names"], found["negated"]):
            spellings = frozenset(re.findall(r'"([^"]+)"', names or ""))
            if spellings:
                yield spellings, len(values), variable[1] if variable else ""


def test_every_flag_of_the_pinned_llama_server_has_a_row() -> None:
    theirs = list(_options_of_llama_server())
    assert len(theirs) > 250, "upstream writes its options in another way now"
    ours = {frozenset(flag.spellings): flag for flag in FLAGS}
    assert {spellings for spellings, _, _ in theirs} == set(ours)
    for spellings, n_values, variable in theirs:
        flag = ours[spellings]
        assert (len(flag.values), flag.variable) == (n_values, variable), spellings


def test_the_page_has_the_table_as_it_is() -> None:
    page = (ROOT / "docs/migrating-from-llama-server.md").read_text()
    assert with_tables(page) == page


def test_no_spelling_is_in_the_table_twice() -> None:
    spellings = [one for flag in (*FLAGS, *OLDER) for one in flag.spellings]
    assert len(spellings) == len(set(spellings))


_VALUES = {
    "N": "1",
    "TYPE": "q8_0",
    "PORT": "8080",
    "[on|off|auto]": "off",
    "TYPES": "ngram-mod",
    "[on|off]": "on",
    "HOST": "127.0.0.1",
    "STRING": "x",
    "TOKENS": "0",
    "MODE": "mmap",
    "KIND": "mean",
    "REPO[:QUANT]": "o/r",
    "FORMAT": "none",
}
_ALONE = {"--hf-file", "--help", "-ctv"}  # tested with what they need


@pytest.mark.parametrize("flag", FLAGS, ids=lambda flag: flag.spellings[-1])
def test_each_flag_meets_its_fate(
    flag: Flag, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if _ALONE & set(flag.spellings):
        return
    keys = tmp_path / "keys"
    keys.write_text("# of a comment\nkey\n")
    for spelling in flag.spellings:
        line = [spelling, *(_VALUES.get(value, str(keys)) for value in flag.values)]
        if flag.fate is Fate.REFUSED and flag.values and flag.asks_for_nothing(line[1]):
            line[1] = "7"
        if flag.fate is Fate.REFUSED:
            with pytest.raises(SystemExit) as ended:
                read_settings(["m.gguf", *line], {})
            assert ended.value.code == 2
            assert f"error: {' '.join(line)}: {flag.says}\n" in capsys.readouterr().err
            continue
        settings = read_settings(["m.gguf", *line], {})
        noted = f"note: {' '.join(line)} has no effect: {flag.says}\n"
        assert (noted in capsys.readouterr().err) == (flag.fate is Fate.UNUSED)
        if flag.fate is Fate.UNUSED:
            assert settings == Settings(model="m.gguf")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("-ts 3,1", "-ts 3,1: weights are placed"),
        ("-md d.gguf", "-md d.gguf: there are no draft models"),
        ("--mmproj p.gguf", "--mmproj p.gguf: models here read and write text only"),
        ("--spec-type draft-mtp", "--spec-type draft-mtp: there are no draft models"),
        ("--reasoning-budget 9", "--reasoning-budget 9: a request limits its thoughts"),
        ("--pooling none", "--pooling none: a text has one vector"),
        ("--control-vector-layer-range 1 2", "--control-vector-layer-range 1 2: there are no"),
        ("--control-vector-layer-range 1", "--control-vector-layer-range: needs START END"),
        ("-c", "-c: needs N"),
        ("-tz 3", "-tz: there is no such flag"),
        ("-c4096", "-c4096: there is no such flag"),
        ("--ctx 100", "--ctx: there is no such flag"),
        ("--ctxsize 100", "--ctxsize: there is no such flag; is it --ctx-size?"),
        ("-hff a.gguf", "-hff: names a file of a repository"),
        ("-ctk q9_0", "--cache-type: Invalid enum value 'q9_0'"),
    ],
)
def test_what_cannot_be_had_is_refused_by_name(
    line: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        read_settings(line.split(), {})
    assert ended.value.code == 2
    assert f"error: {said}" in capsys.readouterr().err


def test_a_line_with_everything_is_read_as_it_was_meant(
    capsys: pytest.CaptureFixture[str],
) -> None:
    line: str = (
        "-m m.gguf -c 8192 -np 4 -ngl auto -fa -ctk q5_1 -ctv q5_1 -b 2048 -ub 256 -t 2 -tb 4 "
        "--jinja --mlock --metrics -cram 0 --swa-full --numa distribute -fit on --temp 0 "
        "--top-k=-1 --spec-type none -sm layer -mg 0 --api-key a,b --lora one,two --log-jsonl "
        "--no-webui --cors-origins http://a,http://b --reasoning-format none --sse-ping-interval 5"
    )
    settings = read_settings(list[str](line.split()), {})
    assert settings == Settings(
        model="m.gguf",
        ctx_size=8192,
        parallel=4,
        flash_attn="on",
        cache_type="q5_1",
        cache_type_v="q5_1",
        ubatch_size=256,
        threads=2,
        load_mode="mmap+mlock",
        temperature=0.0,
        top_k=-1,
        given_now=("temperature", "top_k"),
        speculation=False,
        api_key=("a", "b"),
        lora=("one", "two"),
        log_format="json",
        ui=False,
        cors_origin=("http://a", "http://b"),
        reasoning_format="none",
        ping_s=5.0,
    )
    noted = capsys.readouterr().err.splitlines()
    assert all(line.startswith("note: ") for line in noted)
    unused = [line.split()[1] for line in noted if "has no effect" in line]
    assert unused == ["-b", "-tb", "--jinja", "--metrics", "-cram", "--swa-full", "--numa", "-fit"]
    assert (
        "note: each of 4 requests may have 8192 tokens; llama-server would give each 2048"
        in (noted[-1])
    )


def test_a_file_of_a_repository_is_named_as_llama_server_names_it() -> None:
    settings = read_settings(["-hf", "owner/repo:Q8_0", "-hff", "a-b.gguf"], {})
    assert settings.model == "hf:owner/repo/a-b.gguf"
    environment = {"LLAMA_ARG_HF_REPO": "owner/repo", "LLAMA_ARG_HF_FILE": "a.gguf"}
    assert read_settings([], environment).model == "hf:owner/repo/a.gguf"


def test_a_switch_off_in_a_variable_is_the_flag_that_says_so(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert read_settings([], {"LLAMA_ARG_CONTEXT_SHIFT": "1"}).context_shift
    assert not read_settings([], {"LLAMA_ARG_UI": "false"}).ui
    assert not read_settings([], {"LLAMA_ARG_NO_REPACK": "1"}).repack
    assert read_settings([], {"LLAMA_ARG_JINJA": "1", "LLAMA_ARG_MMPROJ": ""}) == Settings()
    assert "note: LLAMA_ARG_JINJA=1 has no effect: " in capsys.readouterr().err
    with pytest.raises(SystemExit):
        read_settings([], {"LLAMA_ARG_CONT_BATCHING": "0"})
    assert "error: LLAMA_ARG_CONT_BATCHING=0: every request joins" in capsys.readouterr().err


def test_a_help_text_says_what_a_flag_is_and_what_it_has_without(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        read_settings(["--help"], {})
    told = capsys.readouterr().out
    assert "the same" not in told
    text = re.sub(r"\s+", " ", told.partition("Every flag can also")[0])
    for field in Settings.__struct_fields__:
        if field in ("model", "given_now"):
            continue
        flag = "--" + field.replace("_", "-")
        described = text[text.rindex(f" {flag}") :]
        assert re.match(r"[^()]*.*?\((?:[^()]*; )?default: ", described), flag
    assert "(1 to 256; default: 8)" in text
    assert "(one of mlock mmap mmap+mlock none; default: mmap)" in text
