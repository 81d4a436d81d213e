"""Servers for clients that others wrote."""

from tests.server.conftest import calling_server, random_server

__all__ = ["calling_server", "random_server"]
