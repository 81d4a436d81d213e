"""/metrics, as Prometheus reads it."""

from __future__ import annotations

import re

from tests.server.running import Running

SAMPLE = re.compile(r'([a-z]+:[a-z_]+)\{model_name="([^"]*)"(?:,le="([^"]+)")?\} (\S+)')


def samples(server: Running) -> dict[tuple[str, str], float]:
    """Name and limit -> value. Every line is a comment or a sample."""
    answer = server.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    found: dict[tuple[str, str], float] = {}
    declared: set[str] = set()
    for line in answer.text.splitlines():
        if line.startswith("#"):
            kind, name = line.split()[1:3]
            assert kind in {"HELP", "TYPE"}
            declared.add(name)
            continue
        sample = SAMPLE.fullmatch(line)
        assert sample, line
        name, model, limit, value = sample.groups()
        assert model == "alphabet"
        assert re.sub(r"_(bucket|sum|count)$", "", name) in declared | {name}
        assert (name, limit or "") not in found
        found[name, limit or ""] = float(value)
    return found


def test_counters_count_and_histograms_agree_with_them(alphabet_server: Running) -> None:
    before = samples(alphabet_server)
    for _ in range(3):
        alphabet_server.post("/v1/completions", {"model": "alphabet", "prompt": "a"})
    alphabet_server.until(lambda stats: stats["n_running"] == 0)
    after = samples(alphabet_server)

    def grown(name: str, limit: str = "") -> float:
        return after[name, limit] - before[name, limit]

    assert grown("jan:request_success_total") == 3
    assert grown("jan:prompt_tokens_total") == 6
    assert grown("jan:time_to_first_token_seconds_count") == 3
    assert grown("jan:time_to_first_token_seconds_bucket", "+Inf") == 3
    assert after["jan:num_requests_running", ""] == after["vllm:num_requests_running", ""] == 0
    assert 0 <= after["vllm:kv_cache_usage_perc", ""] <= 1


def test_buckets_never_fall(alphabet_server: Running) -> None:
    last: dict[str, float] = {}
    for (name, limit), value in samples(alphabet_server).items():
        if limit:
            assert value >= last.get(name, 0)
            last[name] = value
    assert last
