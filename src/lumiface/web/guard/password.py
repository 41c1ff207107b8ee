"""The password: asked of programs in a header, of people on the page; compared in constant time."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
import time
from collections import deque

from lumiface.web.errors import Refusal

MOST_FAILURES, PER_SECONDS = 20, 60.0
"""Wrong passwords of all visitors together, after which none is looked at for a while."""


class Password:
    """Compares what visitors say with the password.

    Args:
        secret: the password; None lets everyone in.
    """

    def __init__(self, secret: str | None) -> None:
        self._key = secrets.token_bytes(32)
        self._digest = None if secret is None else self._of(secret)
        self._failures: deque[float] = deque()

    @property
    def is_needed(self) -> bool:
        """Whether there is one."""
        return self._digest is not None

    def check(self, said: str) -> bool:
        """Whether it is the password.

        Raises:
            Refusal: too many wrong ones came lately.
        """
        if self._digest is None:
            return True
        now = time.monotonic()
        while self._failures and self._failures[0] < now - PER_SECONDS:
            self._failures.popleft()
        if len(self._failures) >= MOST_FAILURES:
            wait = self._failures[0] + PER_SECONDS - now
            raise Refusal(429, "too_many_passwords", "too many wrong passwords; wait a minute", wait)
        if hmac.compare_digest(self._of(said), self._digest):
            return True
        self._failures.append(now)
        return False

    def check_header(self, authorization: str | None) -> bool:
        """Whether a header `Authorization` has it: `Bearer PASSWORD`, or Basic with any user name.

        Raises:
            Refusal: as `check`.
        """
        kind, _, value = (authorization or "").partition(" ")
        if not self.is_needed:
            return True
        if kind.lower() == "bearer":
            return self.check(value.strip())
        if kind.lower() == "basic":
            try:
                return self.check(base64.b64decode(value, validate=True).decode().partition(":")[2])
            except (binascii.Error, UnicodeDecodeError):
                return False
        return False

    def _of(self, text: str) -> bytes:
        # Of equal length whatever is said, so that the comparison does not tell the password's.
        return hmac.digest(self._key, text.encode("utf-8", "surrogateescape"), hashlib.sha256)
