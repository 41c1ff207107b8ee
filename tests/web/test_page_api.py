"""What the page asks for: each visitor has his own files, for a time."""

from __future__ import annotations

import io
import os
import stat
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from lumiface.web.store import PREFIX, Store
from web_server import Stub, client_of, state_of_client


def add(client: TestClient, picture: bytes, name: str = "party.png") -> str:
    """Send a photograph, and wait for its faces."""
    answer = client.post("/session/pictures", params={"name": name}, content=picture)
    assert answer.status_code == 202, answer.text
    wait(client, answer.json()["id"], "find")
    return answer.json()["id"]


def wait(client: TestClient, id_: str, kind: str, seconds: float = 10.0) -> dict:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        record = client.get(f"/session/pictures/{id_}").json()
        if record["kind"] == kind and record["state"] not in ("waiting", "running"):
            return record
        time.sleep(0.01)
    raise AssertionError(record)


def test_a_whole_visit(client: TestClient, worker: Stub, picture: bytes) -> None:
    id_ = add(client, picture)
    record = client.get(f"/session/pictures/{id_}").json()
    assert len(record["found"]["faces"]) == 2
    body = {"options": {"strength": 0.5}, "faces": [1]}
    assert client.post(f"/session/pictures/{id_}/restore", json=body).status_code == 202
    record = wait(client, id_, "restore")
    assert record["result"]["faces"][0]["treatment"] == "restored"
    assert worker.tasks[1].boxes == ((21.0, 2.0, 10.0, 12.0),)  # the second face alone
    assert worker.tasks[1].config.strength == 0.5
    result = client.get(f"/session/pictures/{id_}/files/result")
    assert result.content == picture
    assert 'attachment; filename="party_lumiface.png"' in result.headers["content-disposition"]
    for name in ("before.webp", "after.webp"):
        assert client.get(f"/session/pictures/{id_}/files/{name}").headers["cache-control"] == "no-store"
    archive = zipfile.ZipFile(io.BytesIO(client.get("/session/results.zip").content))
    assert archive.namelist() == ["party_lumiface.png", "report.json"]
    assert [entry["id"] for entry in client.get("/session").json()["pictures"]] == [id_]
    # All faces: as `lumiface restore`; none: only light.
    client.post(f"/session/pictures/{id_}/restore", json={"faces": [0, 1]})
    wait(client, id_, "restore")
    client.post(f"/session/pictures/{id_}/restore", json={"faces": []})
    wait(client, id_, "restore")
    assert [(task.boxes, task.config.faces) for task in worker.tasks[2:]] == [((), "all"), ((), "none")]
    assert client.delete(f"/session/pictures/{id_}").status_code == 200
    assert client.get(f"/session/pictures/{id_}").json()["code"] == "no_picture"
    assert not [path for path in state_of_client(client).store.root.rglob("*") if path.is_file()]


def test_a_restoration_can_be_cancelled_and_asked_for_again(picture: bytes) -> None:
    worker = Stub()
    with client_of(worker) as client:
        id_ = add(client, picture)
        worker.seconds = 20
        client.post(f"/session/pictures/{id_}/restore", json={})
        again = client.post(f"/session/pictures/{id_}/restore", json={})
        assert (again.status_code, again.json()["code"]) == (409, "in_work")
        while len(worker.tasks) < 2:
            time.sleep(0.01)
        assert client.post(f"/session/pictures/{id_}/cancel").json()["state"] == "cancelled"
        worker.seconds = 0
        client.post(f"/session/pictures/{id_}/restore", json={})
        assert wait(client, id_, "restore")["state"] == "done"


def test_a_result_is_there_though_nobody_has_asked_how_far_it_is(client: TestClient, picture: bytes) -> None:
    id_ = add(client, picture)
    client.post(f"/session/pictures/{id_}/restore", json={})
    (session,) = state_of_client(client).store.sessions.values()
    work = session.pictures[id_].work
    while work is None or not work.finished.is_set():
        time.sleep(0.01)
    assert client.get("/session/results.zip").status_code == 200
    assert client.get(f"/session/pictures/{id_}/files/result").content == picture


def test_visitors_do_not_see_one_another(client: TestClient, picture: bytes) -> None:
    id_ = add(client, picture)
    cookie = client.cookies["lumiface"]
    assert len(cookie) >= 43  # 256 bits
    for stranger in ("", "x" * 43, cookie[:-1]):
        client.cookies.clear()
        if stranger:
            client.cookies.set("lumiface", stranger)
        for path in ("", "/files/before.webp", "/files/result"):
            assert client.get(f"/session/pictures/{id_}{path}").json()["code"] == "no_session"
        assert client.get("/session").json()["pictures"] == []
        assert client.get("/session/results.zip").status_code == 404
        assert client.delete("/session").status_code == 404
    client.cookies.clear()
    answer = client.post("/session/pictures", content=picture)
    assert client.get(f"/session/pictures/{id_}").json()["code"] == "no_picture"
    header = answer.headers["set-cookie"].lower()
    assert "httponly" in header
    assert "samesite=strict" in header


def test_files_are_deleted_after_a_time_and_at_the_end(picture: bytes) -> None:
    with client_of(Stub(), keep_minutes=0.3 / 60) as client:
        root = state_of_client(client).store.root
        assert stat.S_IMODE(root.stat().st_mode) == 0o700
        add(client, picture)
        assert any(path.is_file() for path in root.rglob("*"))
        end = time.monotonic() + 10
        while any(root.iterdir()):
            assert time.monotonic() < end
            time.sleep(0.05)
        assert client.get("/session").json()["pictures"] == []
        add(client, picture)
    assert not root.exists()


def test_all_of_a_visitors_files_at_once(client: TestClient, picture: bytes) -> None:
    add(client, picture, "a.png")
    add(client, picture, "b.png")
    assert client.delete("/session").status_code == 200
    assert client.get("/session").json()["pictures"] == []
    assert not [path for path in state_of_client(client).store.root.rglob("*") if path.is_file()]


@pytest.mark.skipif(sys.platform == "win32", reason="process numbers")
def test_folders_of_servers_that_were_killed_are_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    (tmp_path / f"{PREFIX}{gone.pid}-x").mkdir()
    (tmp_path / f"{PREFIX}{os.getpid()}-alive").mkdir()
    (tmp_path / f"{PREFIX}own").mkdir()
    store = Store(60, 1e9)
    assert {path.name for path in tmp_path.iterdir()} == {
        f"{PREFIX}{os.getpid()}-alive",
        f"{PREFIX}own",
        store.root.name,
    }


def test_wrong_orders(client: TestClient, picture: bytes) -> None:
    id_ = add(client, picture)
    for body, said in (
        ({"faces": [7]}, "faces: this photograph has 2"),
        ({"options": {"runtime": "torch"}}, "runtime is set where the server is started"),
        ({"option": {}}, "body.option: Extra inputs are not permitted"),
    ):
        answer = client.post(f"/session/pictures/{id_}/restore", json=body)
        assert answer.status_code == 422
        assert said in answer.json()["detail"]


def test_what_is_no_picture_is_said(client: TestClient) -> None:
    id_ = add(client, b"#!/bin/sh", "run.png")
    record = client.get(f"/session/pictures/{id_}").json()
    assert (record["state"], record["error"]["code"]) == ("failed", "bad_picture")
    assert record["error"]["detail"].startswith("run.png is not a picture")
