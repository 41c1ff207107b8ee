"""Requests that mean harm are refused with a clear answer, and the server goes on."""

from __future__ import annotations

import socket
import struct
import time
import zlib

import httpx2
import pytest

from web_server import Stub, client_of, listening, state_of_client

HEAD = "POST /v1/restore HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: multipart/form-data; boundary=x\r\n"


def talk(port: int, *parts: bytes, pause: float = 0.0, seconds: float = 10.0) -> bytes:
    """What the server answers to bytes on a connection, until it closes it."""
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as connection:
        answer = b""
        try:
            for part in parts:
                connection.sendall(part)
                time.sleep(pause)
            while data := connection.recv(65536):
                answer += data
        except (ConnectionError, BrokenPipeError):
            pass
        return answer


def bomb() -> bytes:
    """A PNG of 400 megapixels in a few hundred kilobytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 20_000, 20_000, 8, 0, 0, 0, 0)
    pixels = zlib.compress(bytes(20_001) * 2000, 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def test_a_gigabyte_is_refused_by_its_length_and_by_counting() -> None:
    with listening(Stub(), max_upload_mb=1) as live:
        start = time.monotonic()
        answer = talk(live.port, f"{HEAD}Content-Length: 1000000000\r\n\r\n".encode())
        assert time.monotonic() - start < 5
        assert answer.startswith(b"HTTP/1.1 413")
        assert b"the request has more than 1 MB; send a smaller photograph" in answer
        begin = b'--x\r\nContent-Disposition: form-data; name="picture"; filename="a"\r\n\r\n'
        block = b"%x\r\n%s\r\n" % (100_000, b"0" * 100_000)
        parts = [f"{HEAD}Transfer-Encoding: chunked\r\n\r\n".encode(), b"%x\r\n%s\r\n" % (len(begin), begin)]
        answer = talk(live.port, *parts, *[block] * 30)
        assert answer.startswith(b"HTTP/1.1 413")
        # The page's way: the body is the photograph.
        head = b"POST /session/pictures HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n"
        assert talk(live.port, head, *[block] * 30).startswith(b"HTTP/1.1 413")
        assert httpx2.get(f"{live.address}/health").status_code == 200


def test_refused_uploads_leave_nothing() -> None:
    with client_of(Stub(), max_upload_mb=0.001) as client:
        store = state_of_client(client).store
        for _ in range(3):
            assert client.post("/session/pictures", content=bytes(2000)).status_code == 413
            assert client.post("/session/pictures", content=iter([bytes(2000)])).status_code == 413
        assert store.sessions == {}
        assert list(store.root.iterdir()) == []


def test_slow_clients_are_cut_off() -> None:
    with listening(Stub(), head_seconds=0.4, body_seconds=0.4) as live:
        letters = [bytes([letter]) for letter in b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n"]
        assert talk(live.port, *letters[:3], pause=0.1).startswith(b"HTTP/1.1 408")
        start = time.monotonic()
        talk(live.port, *letters, pause=0.1)  # goes on writing after the answer
        assert time.monotonic() - start < 2
        assert talk(live.port).startswith(b"HTTP/1.1 408")  # one that says nothing
        start = time.monotonic()
        slow = talk(live.port, f"{HEAD}Content-Length: 1000\r\n\r\n".encode(), b"--x", pause=0.3)
        assert slow.startswith(b"HTTP/1.1 408")
        assert b"came too slowly" in slow
        assert time.monotonic() - start < 6
        assert httpx2.get(f"{live.address}/health").status_code == 200


def test_bombs_scripts_and_rubbish_are_no_pictures(picture: bytes) -> None:
    with client_of(Stub()) as client:
        for name, data, said in (
            ("bomb.png", bomb(), "400 megapixels, more than the limit of 50; make it smaller"),
            ("run.png", b"#!/bin/sh\nrm -rf /\n", "run.png is not a picture in a supported format"),
            ("page.svg", b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>", "not a picture"),
            ("cut.png", picture[:200], "cut.png cannot be read"),
            ("empty.png", b"", "empty.png is empty"),
        ):
            answer = client.post("/v1/restore", files={"picture": (name, data)})
            assert answer.status_code == 422, name
            assert said in answer.json()["detail"]
        assert client.post("/v1/restore", files={"picture": picture}).status_code == 200


@pytest.mark.parametrize(
    "name",
    ["../../../etc/cron.d/x", "..\\..\\boot.ini", "/etc/passwd", "a\x00b.png", ".", "\u202egnp.exe", ""],
)
def test_names_are_never_paths(picture: bytes, name: str) -> None:
    with client_of(Stub()) as client:
        client.post("/session/pictures", params={"name": name}, content=picture)
        store = state_of_client(client).store
        (session,) = store.sessions.values()
        (found,) = session.pictures.values()
        assert not set(found.name) & set("/\\\x00\u202e")
        assert found.name not in (".", "..", "")
        files = [path for path in store.root.rglob("*") if path.is_file()]
        assert {path.name for path in files} <= {"upload", "before.webp", "after.webp", "result.png"}
        for file in ("..%2f..%2fupload", "upload", "%2e%2e/upload", "report.json"):
            assert client.get(f"/session/pictures/{found.id}/files/{file}").status_code == 404


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 421),
        ({"Host": "evil.example:7860"}, 421),
        ({"Host": "127.0.0.1@evil.example"}, 421),
        ({"Host": ""}, 421),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://127.0.0.1:1"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors"}, 403),
        ({"Host": "localhost:7860", "Origin": "http://localhost:7860"}, 200),
        ({"Host": "[::1]:7860"}, 200),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "http://127.0.0.1"}, 200),
    ],
)
def test_other_hosts_and_pages_of_other_sites(picture: bytes, headers: dict[str, str], status: int) -> None:
    with client_of(Stub()) as client:
        answer = client.post("/v1/restore", files={"picture": picture}, headers=headers)
        assert answer.status_code == status
        if status != 200:
            assert answer.json()["detail"]
        # A link from another site may open the page, and nothing else.
        link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
        assert client.get("/", headers=link).status_code == 200
        assert client.get("/session", headers=link).status_code == 403


def test_a_name_that_was_given_is_answered(picture: bytes) -> None:
    with client_of(Stub(), names=("photos.example",)) as client:
        assert client.get("/health", headers={"Host": "photos.example"}).status_code == 200
        assert client.get("/health", headers={"Host": "other.example"}).status_code == 421


def test_disk_space_and_requests_are_bounded(picture: bytes) -> None:
    with client_of(Stub(), max_storage_gb=1e-9) as client:
        assert client.post("/session/pictures", content=picture).status_code == 202
        refused = client.post("/session/pictures", content=picture)
        assert (refused.status_code, refused.json()["code"]) == (507, "full")
        assert client.post("/v1/restore", files={"picture": picture}).status_code == 507
    with client_of(Stub(), max_requests=1) as client:
        state_of_client(client).open_requests = 1
        refused = client.get("/health")
        assert refused.status_code == 429
        assert int(refused.headers["Retry-After"]) >= 1
