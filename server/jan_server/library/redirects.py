"""Follows redirects to where a download may lead, and looks before each step.

Whoever answers a request chooses where it is sent on to. A server that followed anywhere would ask
machines that only it can reach, on behalf of a stranger.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Generator, Mapping
from contextlib import contextmanager

import httpx2

__all__ = ["BadRedirect", "following"]

_MOST = 8
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class BadRedirect(Exception):
    """The text says where it would have led."""


@contextmanager
def following(
    client: httpx2.Client, url: str, headers: Mapping[str, str]
) -> Generator[httpx2.Response]:
    """Yields the answer to a GET, its body still to come, after as many redirects as there are.

    Headers that prove who asks go to the first host alone. Raises BadRedirect before it asks where
    it should not, and httpx2.TransportError.

    `url` is what a person named, so it may be on this machine or its network. From there on only
    addresses that anybody could reach are asked: or, from a private network, others of it; on this
    machine, the same port. After https comes nothing else.
    """
    request = client.build_request("GET", url, headers=dict(headers))
    first = request.url
    for _ in range(_MOST + 1):
        answer = client.send(request, stream=True, follow_redirects=False)
        try:
            if answer.next_request is None:
                yield answer
                return
            request = answer.next_request
        finally:
            answer.close()
        _check(first, request.url)
    raise BadRedirect("from one place to the next without end")


def _check(first: httpx2.URL, to: httpx2.URL) -> None:
    if first.scheme == "https" and to.scheme != "https":
        raise BadRedirect("to where nothing is encrypted")
    if to.scheme not in ("http", "https"):
        raise BadRedirect("to what is no place on the web")
    if (to.host, _port(to)) == (first.host, _port(first)):
        return
    named = _addresses(first)
    for address in _addresses(to):
        if address.is_global and to.scheme == "https":
            continue
        if address.is_loopback:
            may = _port(to) == _port(first) and any(one.is_loopback for one in named)
        elif address.is_link_local or address.is_multicast or address.is_unspecified:
            may = False  # among them what tells machines of a cloud their secrets
        elif address.is_global:
            raise BadRedirect("to where nothing is encrypted")
        else:
            may = any(not (one.is_global or one.is_loopback) for one in named)
        if not may:
            raise BadRedirect("into a network that is not open to everybody")


def _port(url: httpx2.URL) -> int:
    return url.port or (443 if url.scheme == "https" else 80)


def _addresses(url: httpx2.URL) -> list[_Address]:
    """None for a name that has none, or that only a proxy knows: asking it then fails by itself."""
    try:
        found = socket.getaddrinfo(url.host, _port(url), type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    return [_plain(ipaddress.ip_address(str(entry[4][0]).partition("%")[0])) for entry in found]


def _plain(address: _Address) -> _Address:
    """An IPv4 address that is written as one of IPv6."""
    return getattr(address, "ipv4_mapped", None) or address
