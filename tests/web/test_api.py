"""The server for programs: what is asked, what is answered, and what is refused in which words."""

from __future__ import annotations

import base64
import io
import json
import zipfile

import pytest
from starlette.testclient import TestClient

from lumiface.restoration.config import RestoreConfig
from lumiface.web.options import OPERATORS, parse_options
from web_server import Stub, client_of, picture_bytes, state_of_client


def test_one_photograph_comes_back_as_it_came(client: TestClient, worker: Stub, picture: bytes) -> None:
    answer = client.post(
        "/v1/restore",
        files={"picture": ("Fête.png", picture)},
        data={
            "task": "joint",
            "scale": "2",
            "strength": "0.5",
            "model": "lumiface-x4",
            "boxes": "[[1,2,30,40]]",
        },
        headers={"X-Request-Id": "abc-1"},
    )
    assert answer.status_code == 200
    assert answer.content == picture
    assert answer.headers["content-type"] == "image/png"
    assert "F%C3%AAte_lumiface.png" in answer.headers["content-disposition"]
    assert answer.headers["x-request-id"] == "abc-1"
    report = json.loads(answer.headers["x-lumiface-report"])
    assert report["faces"][0]["treatment"] == "restored"
    (task,) = worker.tasks
    assert (task.kind, task.name, task.model, task.boxes) == (
        "restore",
        "Fête.png",
        "lumiface-x4",
        ((1, 2, 30, 40),),
    )
    assert task.config == RestoreConfig(task="joint", scale=2, strength=0.5)


def test_json_and_base64(client: TestClient, worker: Stub, picture: bytes) -> None:
    data = base64.b64encode(picture).decode()
    body = {"picture": {"name": "a.png", "data": data}, "options": {"strength": 0.25}, "answer": "json"}
    answer = client.post("/v1/restore", json=body)
    (record,) = answer.json()["pictures"]
    assert base64.b64decode(record["data"]) == picture
    assert record["result"] == "a_lumiface.png"
    assert worker.tasks[0].config.strength == 0.25
    assert client.post("/v1/restore", json={"picture": f"data:image/png;base64,{data}"}).content == picture


def test_several_come_back_as_zip_with_a_report(client: TestClient, picture: bytes) -> None:
    names = ["a.png", "a.png", "../../etc/passwd", "b.png"]
    files = [("picture", (name, picture)) for name in names]
    files[3] = ("picture", ("b.png", b"no picture"))
    answer = client.post("/v1/restore", files=files)
    assert answer.headers["content-type"] == "application/zip"
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    assert archive.namelist() == ["a_lumiface.png", "a_lumiface-2.png", "passwd_lumiface.png", "report.json"]
    records = json.loads(archive.read("report.json"))["pictures"]
    assert "b.png is not a picture" in records[3]["error"]


def test_nothing_of_a_request_is_left(client: TestClient, picture: bytes) -> None:
    for answer in ("picture", "zip", "json"):
        assert (
            client.post("/v1/restore", files={"picture": picture}, data={"answer": answer}).status_code == 200
        )
    client.post("/v1/restore", files={"picture": b"no"})
    client.post("/v1/faces", files={"picture": picture})
    assert list(state_of_client(client).store.root.iterdir()) == []


def test_faces_models_health_counters(client: TestClient, picture: bytes) -> None:
    (record,) = client.post("/v1/faces", files={"picture": ("a.png", picture)}).json()["pictures"]
    assert record["width"] == 48
    assert len(record["faces"]) == 2
    models = {model["name"]: model["task"] for model in client.get("/v1/models").json()["models"]}
    assert models["lumiface-x4"] == "joint"
    assert "lumiface-photo-x4" not in models
    assert client.get("/health").json()["status"] == "ok"
    counters = client.get("/metrics").text
    assert 'lumiface_requests_total{method="POST",route="/v1/faces",status="200"} 1.0' in counters
    assert 'lumiface_work_seconds_count{kind="find"} 1.0' in counters


def test_the_description_has_every_option_and_needs_no_other_host(client: TestClient) -> None:
    description = client.get("/openapi.json").json()
    form = description["paths"]["/v1/restore"]["post"]["requestBody"]["content"]["multipart/form-data"]
    names = set(form["schema"]["properties"])
    assert names == {*RestoreConfig.model_fields} - {*OPERATORS} | {"picture", "model", "boxes", "answer"}
    assert "session" not in json.dumps(list(description["paths"]))
    assert client.get("/docs").status_code == 404
    assert client.get("/api.html").status_code == 200


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"taskk": "joint"}, "taskk: there is no such option"),
        ({"strength": "2"}, "strength: Input should be less than or equal to 1"),
        ({"task": "lighten"}, "task: Input should be 'joint', 'enhance', 'blind' or 'auto'"),
        ({"background_model": "/etc/passwd"}, "background_model is set where the server is started"),
        ({"model": "/etc/passwd"}, "model /etc/passwd: there is none of that name"),
        ({"boxes": "[[1, 2]]"}, "boxes: need a list of faces"),
        ({"answer": "pdf"}, "answer: picture (for one photograph), zip or json"),
    ],
)
def test_a_wrong_option_is_named(
    client: TestClient, worker: Stub, picture: bytes, fields: dict[str, str], said: str
) -> None:
    answer = client.post("/v1/restore", files={"picture": picture}, data=fields)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert said in answer.json()["detail"]
    assert worker.tasks == []


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        (b"", {"content-type": "text/plain"}, 415),
        (b"{", {"content-type": "application/json"}, 400),
        (b"[]", {"content-type": "application/json"}, 422),
        (b"{}", {"content-type": "application/json"}, 422),
        (b'{"picture": "%%%"}', {"content-type": "application/json"}, 422),
        (b'{"pictures": 3}', {"content-type": "application/json"}, 422),
        (b"[" * 100_000, {"content-type": "application/json"}, 400),
        (b"--x\r\nno form", {"content-type": "multipart/form-data; boundary=x"}, 400),
        (b"", {"content-type": "multipart/form-data"}, 400),
    ],
)
def test_a_request_that_is_none(
    client: TestClient, content: bytes, headers: dict[str, str], status: int
) -> None:
    answer = client.post("/v1/restore", content=content, headers=headers)
    assert answer.status_code == status
    assert answer.json()["detail"]


def test_the_operators_options_hold() -> None:
    config = parse_options({"strength": 0.5}, {"detector": "mtcnn", "max_output_megapixels": 10.0})
    assert (config.detector, config.max_output_megapixels, config.strength) == ("mtcnn", 10.0, 0.5)


def test_passwords(picture: bytes) -> None:
    with client_of(Stub(), password="correct horse") as client:
        assert client.get("/health").status_code == 200
        assert client.get("/").status_code == 200  # the page itself holds nothing
        for path in ("/session", "/metrics", "/v1/models", "/openapi.json"):
            assert client.get(path).status_code == 401, path
        refused = client.post(
            "/v1/restore", files={"picture": picture}, headers={"Authorization": "Bearer wrong"}
        )
        assert refused.json()["code"] == "password"
        for header in ("Bearer correct horse", "Basic " + base64.b64encode(b"any:correct horse").decode()):
            assert client.get("/v1/models", headers={"Authorization": header}).status_code == 200
        assert client.post("/login", json={"password": "wrong"}).json()["code"] == "wrong_password"
        assert client.post("/login", json={"password": "correct horse"}).status_code == 200
        assert client.get("/session").status_code == 200
        assert client.post("/session/pictures?name=a.png", content=picture).status_code == 202
        client.cookies.clear()
        wrong = {"Authorization": "Bearer wrong"}
        answers = [client.get("/v1/models", headers=wrong).status_code for _ in range(25)]
        assert answers.count(429) > 0
        assert client.get("/health").status_code == 200


def test_large_reports_are_cut_in_the_header(client: TestClient, worker: Stub) -> None:
    run = worker.run

    def many(task, announce):  # type: ignore[no-untyped-def]
        answer = run(task, announce)
        return {**answer, "faces": answer["faces"] * 200}

    worker.run = many  # type: ignore[method-assign]
    answer = client.post("/v1/restore", files={"picture": picture_bytes()})
    assert json.loads(answer.headers["x-lumiface-report"])["faces_left_out"] == 200
