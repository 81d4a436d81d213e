"""Python packages of others, in the versions people have, against a live server."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.clients.environments import program, ran
from tests.server.running import Running

HERE = Path(__file__).parent

pytestmark = pytest.mark.unsanitized


@pytest.mark.parametrize("environment", ["openai2", "openai3"])
def test_openai_s_package_is_served(calling_server: Running, environment: str) -> None:
    ran(program(environment), HERE / "openai_session.py", calling_server.url + "/v1")


def test_langchain_is_served(calling_server: Running) -> None:
    ran(program("langchain"), HERE / "langchain_session.py", calling_server.url + "/v1")
