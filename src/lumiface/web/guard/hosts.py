"""Requests that only look as if they came from our page: wrong host (DNS rebinding), foreign origin."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Collection, Mapping
from urllib.parse import urlsplit

from lumiface.web.errors import Refusal
from lumiface.web.settings import WebConfig, is_loopback

SAFE = ("GET", "HEAD", "OPTIONS")


class HostRules:
    """Under which names the server answers.

    A page of another site can make its own name point to this machine; the browser then takes it for the same
    site. The name in `Host` gives it away: only names of this machine are answered, and addresses, which
    nobody can make point elsewhere.
    """

    def __init__(self, config: WebConfig) -> None:
        own = {"localhost", config.host, *config.names}
        if not is_loopback(config.host):
            name = socket.gethostname()
            own |= {name, f"{name}.local", socket.getfqdn()}
        self.names = frozenset(name.lower().rstrip(".") for name in own)

    def check(self, method: str, path: str, headers: Mapping[str, str]) -> None:
        """Look at one request.

        Raises:
            Refusal: the host is not ours, or a page of another site asks.
        """
        host = headers.get("host", "")
        name = _name_of(host)
        if name is None or not (name in self.names or _is_address(name)):
            raise Refusal(
                421,
                "wrong_host",
                f"this server does not answer as {host[:80]!r}; start it with --name {name}",
            )
        self._check_origin(method, path, headers, host)

    def _check_origin(self, method: str, path: str, headers: Mapping[str, str], host: str) -> None:
        origin = headers.get("origin")
        if origin is not None and origin not in (f"http://{host}", f"https://{host}"):
            raise Refusal(403, "wrong_origin", f"requests from pages of {origin[:80]!r} are refused")
        site = headers.get("sec-fetch-site", "none")
        if site in ("none", "same-origin"):
            return
        opened = method in SAFE and headers.get("sec-fetch-mode") == "navigate" and path == "/"
        if not opened:
            raise Refusal(403, "wrong_origin", "requests from pages of other sites are refused")


def _name_of(host: str) -> str | None:
    """The name or address in a `Host` header, without its port; None if it is none."""
    try:
        name = urlsplit(f"//{host}").hostname
    except ValueError:
        return None
    return name.rstrip(".") if name and "@" not in host and "/" not in host else None


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def headers_of(raw: Collection[tuple[bytes, bytes]]) -> dict[str, str]:
    """The headers of a request; of one given twice, the last."""
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in raw}
