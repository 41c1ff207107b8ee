"""Fixtures of the server's tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from web_server import Stub, client_of, picture_bytes


@pytest.fixture
def picture() -> bytes:
    return picture_bytes()


@pytest.fixture
def worker() -> Stub:
    return Stub()


@pytest.fixture
def client(worker: Stub) -> Iterator[TestClient]:
    """A server in this process, with the stub."""
    with client_of(worker) as found:
        yield found
