"""`jan completions SHELL`: a script that has the shell complete verbs and models' names."""

from __future__ import annotations

import argparse
import io
import re
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout, suppress
from importlib import import_module

from jan_server.cli.store import read_models
from jan_server.home import home_folder, models_folder

__all__ = ["run"]

_HAS_VERBS = {"bench", "keys"}
_TAKES_MODELS = {"bench", "serve", "show", "rm", "cp", "set", "run", "chat", "stop", "doctor"}
_FLAG = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]+")
_SCRIPTS = {
    "bash": """\
_jan() {
    local IFS=$'\\n' word="${COMP_WORDS[COMP_CWORD]}"
    COMPREPLY=($(jan completions words -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
    [[ ${#COMPREPLY[@]} -gt 0 ]] || COMPREPLY=($(compgen -f -- "$word"))
    if [[ $word == *:* && $COMP_WORDBREAKS == *:* ]]; then
        COMPREPLY=("${COMPREPLY[@]#${word%"${word##*:}"}}")
    fi
}
complete -o filenames -F _jan jan
""",
    "zsh": """\
#compdef jan
_jan() {
    local -a found
    found=("${(@f)$(jan completions words -- "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    [[ -n ${found[1]} ]] && compadd -a found || _files
}
compdef _jan jan
""",
    "fish": """\
function __jan_words
    jan completions words -- (commandline -opc)[2..] (commandline -ct) 2>/dev/null
end
complete -c jan -a '(__jan_words)'
""",
}


def run(arguments: list[str]) -> int:
    if arguments[:1] == ["words"]:  # asked by the scripts
        for word in _candidates(arguments[2:] if arguments[1:2] == ["--"] else arguments[1:]):
            print(word)
        return 0
    parser = argparse.ArgumentParser(
        prog="jan completions",
        description="Complete verbs and models' names: add `source <(jan completions bash)` to "
        "~/.bashrc, or write the script where your shell looks for such.",
    )
    parser.add_argument("shell", choices=sorted(_SCRIPTS))
    print(_SCRIPTS[parser.parse_args(arguments).shell], end="")
    return 0


def _candidates(words: Sequence[str]) -> list[str]:
    """`words` come after `jan`; the last is begun, or empty."""
    from jan_server.cli.main import VERBS

    begun = words[-1] if words else ""
    if len(words) <= 1:
        return [verb for verb in VERBS if verb.startswith(begun)]
    if begun.startswith("-"):
        has_verbs = words[0] in _HAS_VERBS and len(words) > 2
        within = list(words[1:2]) if has_verbs else []
        return [flag for flag in _flags_of(words[0], within) if flag.startswith(begun)]
    if words[0] not in _TAKES_MODELS:
        return []
    if words[0] == "bench" and len(words) == 2:
        from jan_bench.cli.verbs import VERBS as MEASURING

        return [verb for verb in MEASURING if verb.startswith(begun)]
    models = read_models(models_folder(home_folder()))
    names = [name for model in models for name in (model.id, *model.aliases)]
    return [name for name in names if name.startswith(begun)]


def _flags_of(verb: str, within: Sequence[str]) -> list[str]:
    """What its help names: so each verb says it once."""
    from jan_server.cli.main import VERBS

    if verb not in VERBS:
        return []
    told = io.StringIO()
    with redirect_stdout(told), redirect_stderr(told), suppress(SystemExit):
        import_module(f"jan_server.cli.{VERBS[verb][0]}").run([*within, "--help"])
    return sorted(set(_FLAG.findall(told.getvalue())))
