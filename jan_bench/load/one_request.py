"""One HTTP request beside all that is measured, for what a server tells of itself."""

from __future__ import annotations

import http.client
import ssl

from jan_bench.load.endpoint import Endpoint

__all__ = ["ask"]

_PATIENCE_S = 30.0


def ask(endpoint: Endpoint, path: str, body: bytes | None = None) -> bytes | None:
    """The body of the answer; None for anything but 200."""
    headers = dict(endpoint.headers)
    if body is not None:
        headers["Content-Type"] = "application/json"
    where = endpoint.host, endpoint.port
    connection: http.client.HTTPConnection
    if endpoint.is_tls:
        context = ssl.create_default_context()
        connection = http.client.HTTPSConnection(*where, timeout=_PATIENCE_S, context=context)
    else:
        connection = http.client.HTTPConnection(*where, timeout=_PATIENCE_S)
    try:
        connection.request("GET" if body is None else "POST", endpoint.prefix + path, body, headers)
        answer = connection.getresponse()
        return answer.read() if answer.status == 200 else None
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
