"""/metrics, as Prometheus's own client reads it."""

from __future__ import annotations

from typing import Any

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from tests.server.running import Running


def samples(server: Running) -> list[Sample]:
    answer = server.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    found: list[Sample] = []
    for family in text_string_to_metric_families(answer.text):
        assert family.type in {"counter", "gauge", "histogram"}, family
        assert family.documentation
        found += family.samples
    assert all(sample.labels["model_name"] == "alphabet" for sample in found)
    keys = [(sample.name, tuple(sorted(sample.labels.items()))) for sample in found]
    assert len(set(keys)) == len(keys)
    return found


def value(found: list[Sample], name: str, **labels: str) -> float:
    (one,) = [
        sample.value
        for sample in found
        if sample.name == name and labels.items() <= sample.labels.items()
    ]
    return one


def test_counters_count_and_histograms_agree_with_them(alphabet_server: Running) -> None:
    body: dict[str, Any] = {"model": "alphabet", "prompt": "a"}
    alphabet_server.post("/v1/completions", body)  # so that every label is there
    before = samples(alphabet_server)
    for _ in range(3):
        alphabet_server.post("/v1/completions", body)
    alphabet_server.until(lambda stats: stats["n_running"] == 0)
    after = samples(alphabet_server)

    def grown(name: str, **labels: str) -> float:
        return value(after, name, **labels) - value(before, name, **labels)

    assert grown("jan:requests_total") == 3
    assert grown("jan:request_success_total", finished_reason="length") == 3
    assert grown("jan:prompt_tokens_total") == 6
    assert grown("jan:generation_tokens_total") == 3 * 16
    assert grown("jan:time_to_first_token_seconds_count") == 3
    assert grown("jan:time_to_first_token_seconds_bucket", le="+Inf") == 3
    assert grown("jan:e2e_request_latency_seconds_count") == 3
    assert value(after, "jan:workers", passes="prefill") >= 1
    assert value(after, "jan:workers", passes="decode") >= 1


def test_a_gateway_made_for_another_server_finds_what_it_schedules_by(
    alphabet_server: Running,
) -> None:
    found = samples(alphabet_server)
    for prefix in ("jan", "vllm"):
        assert value(found, f"{prefix}:num_requests_running") == 0
        assert value(found, f"{prefix}:num_requests_waiting") == 0
        assert 0 <= value(found, f"{prefix}:kv_cache_usage_perc") <= 1
        assert value(found, f"{prefix}:cache_config_info", block_size="1") == 1


def test_buckets_never_fall(alphabet_server: Running) -> None:
    last: dict[str, float] = {}
    for sample in samples(alphabet_server):
        if "le" in sample.labels:
            assert sample.value >= last.get(sample.name, 0)
            last[sample.name] = sample.value
    assert last
