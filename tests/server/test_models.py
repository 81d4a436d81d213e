"""/v1/models."""

from __future__ import annotations

import pytest
from openai import NotFoundError, OpenAI

from tests.server.running import Running

# ModelDto of the second seed.
FIELDS = {
    *("source_url", "id", "object", "name", "version", "description", "format", "ctx_len"),
    *("prompt_template", "temperature", "top_p", "stream", "max_tokens", "stop", "engine"),
    *("frequency_penalty", "presence_penalty", "author", "tags", "size", "cover"),
}


def test_the_list_is_the_one_model_with_every_field(alphabet_server: Running) -> None:
    listed = alphabet_server.get("/api/v1/models").json()
    assert listed["object"] == "list"
    assert len(listed["data"]) == 1
    info = listed["data"][0]
    assert set(info) >= {*FIELDS, "created", "owned_by", "type", "state", "settings", "parameters"}
    assert (info["id"], info["object"], info["owned_by"]) == ("alphabet", "model", "jan")
    assert info["ctx_len"] == 1024
    assert info["max_tokens"] == 512
    assert info["size"] == alphabet_server.served.path.stat().st_size


def test_one_model_is_found_by_its_id_and_others_are_not(alphabet_server: Running) -> None:
    client = OpenAI(base_url=alphabet_server.url + "/v1", api_key="placeholder")
    assert client.models.retrieve("alphabet").id == "alphabet"
    assert [model.id for model in client.models.list()] == ["alphabet"]
    with pytest.raises(NotFoundError) as refused:
        client.models.retrieve("some/other")
    assert refused.value.code == "model_not_found"
