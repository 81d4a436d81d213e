"""Flags that say what is asked of a server, and how fast. `bench sweep` has them too."""

from __future__ import annotations

import argparse
import json
import os
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, get_args

import msgspec

from jan_bench.load.dataset import Dataset, DatasetName
from jan_bench.load.endpoint import Endpoint, endpoint_of
from jan_bench.load.measure import Load, Point
from jan_engine.errors import InvalidRequest, Unavailable

__all__ = [
    "add_load_flags",
    "add_request_flags",
    "add_shape_flags",
    "endpoint_from",
    "load_from",
    "number_list",
    "parse_all",
]

_GOODPUTS = ("ttft", "tpot", "e2el")


def parse_all(
    parser: argparse.ArgumentParser, arguments: list[str]
) -> tuple[argparse.Namespace, list[str]]:
    """What follows -- comes back as it is."""
    at = arguments.index("--") if "--" in arguments else len(arguments)
    return parser.parse_args(arguments[:at]), arguments[at + 1 :]


def add_load_flags(parser: argparse.ArgumentParser) -> None:
    server = parser.add_argument_group("the server")
    server.add_argument("-u", "--url", "--base-url", help="of any server with OpenAI's API")
    server.add_argument("-m", "--model", help="a model of that server; without --url, one to serve")
    add_request_flags(server)
    add_shape_flags(parser)


def add_request_flags(group: Any) -> None:  # noqa: ANN401 - argparse has no name for it
    group.add_argument(
        "--api", choices=("completions", "chat"), default="completions", help="which of the two"
    )
    group.add_argument(
        "--api-key", default=os.environ.get("OPENAI_API_KEY", ""), help="OPENAI_API_KEY"
    )
    group.add_argument("--header", action="append", default=[], metavar="NAME=VALUE")
    group.add_argument(
        "--extra-body", default="{}", metavar="JSON", help='fields of every request: {"top_k": 1}'
    )
    group.add_argument(
        "--temperature", type=float, default=0.0, help="0 by default, or what the server does: -1"
    )
    group.add_argument(
        "--timeout", type=float, default=600.0, metavar="S", help="after which a request has failed"
    )


def add_shape_flags(parser: argparse.ArgumentParser) -> None:
    load = parser.add_argument_group("the load")
    load.add_argument(
        "--rate", "--request-rate", metavar="N,...", help="requests per second; inf: all"
    )
    load.add_argument(
        "--concurrency", "--max-concurrency", metavar="N,...", help="requests at once"
    )
    load.add_argument(
        "--burstiness",
        type=float,
        default=1.0,
        help="of --rate: 1 Poisson, less in bursts, inf even",
    )
    load.add_argument("-n", "--num-prompts", type=int, help="of each point")
    load.add_argument(
        "--warmup", "--num-warmups", type=int, default=2, metavar="N", help="before each"
    )
    load.add_argument("--seed", type=int, default=0, help="of prompts and times")
    load.add_argument(
        "--goodput", action="append", default=[], metavar="NAME:MS,...", help="ttft:500,tpot:50"
    )
    data = parser.add_argument_group("what is asked")
    data.add_argument(
        "--dataset", "--dataset-name", choices=get_args(DatasetName), default="random"
    )
    data.add_argument("--dataset-path", type=Path, metavar="FILE", help="of sharegpt and jsonl")
    data.add_argument("--input-len", type=int, default=128, metavar="N", help="tokens of a prompt")
    data.add_argument("--output-len", type=int, metavar="N", help="tokens of an answer (128)")
    data.add_argument(
        "--prefix-len", type=int, default=96, metavar="N", help="of prefix_repetition"
    )
    data.add_argument(
        "--num-prefixes", type=int, default=4, metavar="N", help="of prefix_repetition"
    )
    data.add_argument(
        "--ignore-eos",
        action=argparse.BooleanOptionalAction,
        help="answers as long as asked; so unless they come from a file",
    )


def load_from(asked: argparse.Namespace) -> Load:
    """Raises InvalidRequest with the flag's name first."""
    if asked.rate is not None and asked.concurrency is not None:
        raise InvalidRequest(
            "concurrency: give this or rate: one is a closed loop, one an open one"
        )
    if asked.rate is not None:
        points = [Point(rate=rate) for rate in number_list(asked.rate, "rate", float)]
    else:
        points = [
            Point(concurrency=n) for n in number_list(asked.concurrency or "1", "concurrency", int)
        ]
    for name, least in (("num_prompts", 1), ("warmup", 0), ("input_len", 1), ("output_len", 1)):
        value = getattr(asked, name)
        if value is not None and value < least:
            raise InvalidRequest(f"{name}: must be at least {least}, not {value}")
    for name in ("num_prefixes", "prefix_len"):
        if getattr(asked, name) < 1:
            raise InvalidRequest(f"{name}: must be at least 1")
    for name in ("burstiness", "timeout"):
        if not getattr(asked, name) > 0:
            raise InvalidRequest(f"{name}: must be above 0")
    return Load(
        dataset=Dataset(
            name=asked.dataset,
            path=asked.dataset_path,
            n_input=asked.input_len,
            n_output=asked.output_len,
            n_prefix=asked.prefix_len,
            n_prefixes=asked.num_prefixes,
        ),
        points=points,
        n_prompts=asked.num_prompts,
        n_warmup=asked.warmup,
        burstiness=asked.burstiness,
        seed=asked.seed,
        timeout_s=asked.timeout,
        goodput=_goodput(asked.goodput),
    )


def endpoint_from(asked: argparse.Namespace, url: str, model: str | None) -> Endpoint:
    """Raises Unavailable where the model is the server's first and it does not say which."""
    headers = [_pair(text, "header") for text in asked.header]
    if asked.api_key:
        headers.append(("Authorization", f"Bearer {asked.api_key}"))
    try:
        further = msgspec.json.decode(asked.extra_body, type=dict[str, Any])
    except msgspec.MsgspecError as error:
        raise InvalidRequest(f"extra_body: {error}") from None
    if asked.temperature >= 0:
        further = {"temperature": asked.temperature} | further
    is_of_file = asked.dataset in ("sharegpt", "jsonl")
    endpoint = endpoint_of(
        url,
        asked.api,
        model=model or "",
        headers=tuple(headers),
        ignore_eos=not is_of_file if asked.ignore_eos is None else asked.ignore_eos,
        further=further,
    )
    if not model:
        return endpoint_of(
            url, asked.api, **_further_facts(endpoint) | {"model": _first_model(endpoint)}
        )
    return endpoint


def _further_facts(endpoint: Endpoint) -> dict[str, Any]:
    return {name: getattr(endpoint, name) for name in ("headers", "ignore_eos", "further")}


def _first_model(endpoint: Endpoint) -> str:
    request = urllib.request.Request(f"{endpoint.url}/v1/models", headers=dict(endpoint.headers))
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            models = json.load(answer)["data"]
        return str(models[0]["id"])
    except urllib.error.HTTPError as error:
        raise Unavailable(
            f"{endpoint.url} does not list its models: {error}", "give --model"
        ) from None
    except OSError as error:
        reason = getattr(error, "reason", error)
        raise Unavailable(f"no server answers at {endpoint.url}: {reason}") from None
    except (ValueError, LookupError, TypeError):
        raise Unavailable(f"{endpoint.url} lists no models", "give --model") from None


def number_list(text: str, name: str, kind: type[int] | type[float]) -> list[Any]:
    try:
        values = [kind(part) for part in text.split(",")]
    except ValueError:
        raise InvalidRequest(f"{name}: {text!r} is no list of numbers") from None
    if not all(value > 0 for value in values):
        raise InvalidRequest(f"{name}: must be above 0")
    return values


def _goodput(given: list[str]) -> dict[str, float]:
    limits: dict[str, float] = {}
    for part in (part for text in given for part in text.replace(" ", ",").split(",")):
        name, colon, value = part.partition(":")
        if name not in _GOODPUTS or not colon:
            raise InvalidRequest(f"goodput: {part!r} is not one of ttft:MS, tpot:MS, e2el:MS")
        try:
            limits[name] = float(value)
        except ValueError:
            raise InvalidRequest(f"goodput: {value!r} is no number of milliseconds") from None
    return limits


def _pair(text: str, name: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key or any(c in text for c in "\r\n"):
        raise InvalidRequest(f"{name}: {text!r} is not NAME=VALUE")
    return key, value
