"""The queue: nothing is lost, whatever happens to the client, the worker or the server."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx2

from web_server import Live, Stub, client_of, listening, state_of_client

CLIENT = httpx2.Client(timeout=60, limits=httpx2.Limits(max_connections=60))


def restore(live: Live, picture: bytes) -> httpx2.Response:
    return CLIENT.post(f"{live.address}/v1/restore", files={"picture": picture})


def wait_for(condition, seconds: float = 10.0) -> None:  # type: ignore[no-untyped-def]
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_fifty_at_once_are_all_answered(picture: bytes) -> None:
    with listening(Stub(seconds=0.05), queue=10) as live, ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda _: restore(live, picture), range(50)))
        codes = Counter(answer.status_code for answer in answers)
        assert set(codes) == {200, 429}
        assert codes[200] >= 10
        for answer in answers:
            if answer.status_code == 429:
                assert 1 <= int(answer.headers["Retry-After"]) <= 120
                assert "photographs are waiting already" in answer.json()["detail"]
            else:
                assert answer.content == picture


def test_what_runs_is_finished_before_the_end_and_new_ones_are_refused(picture: bytes) -> None:
    with listening(Stub(seconds=0.8)) as live, ThreadPoolExecutor(4) as pool:
        running = [pool.submit(restore, live, picture) for _ in range(2)]
        wait_for(lambda: len(live.worker.tasks) == 1)
        queue = live.server._state.queue
        wait_for(lambda: len(queue.waiting) == 1)
        live.server.handle_exit(15, None)
        refused = restore(live, picture)
        assert (refused.status_code, refused.json()["code"]) == (503, "stopping")
        assert int(refused.headers["Retry-After"]) >= 1
        assert httpx2.get(f"{live.address}/health").json()["status"] == "stopping"
        assert [answer.result().status_code for answer in running] == [200, 200]
        wait_for(lambda: live.server.should_exit)


def test_a_second_signal_ends_at_once(picture: bytes) -> None:
    worker = Stub(seconds=30)
    start = time.monotonic()
    with listening(worker) as live, ThreadPoolExecutor(1) as pool:
        running = pool.submit(restore, live, picture)
        wait_for(lambda: worker.tasks)
        live.server.handle_exit(2, None)
        live.server.handle_exit(2, None)
        assert running.result(20).json()["code"] == "stopping"
    assert time.monotonic() - start < 15


def test_a_client_that_goes_away_frees_the_worker(picture: bytes) -> None:
    worker = Stub(seconds=20)
    with listening(worker) as live:
        with contextlib.suppress(httpx2.TimeoutException):
            httpx2.post(f"{live.address}/v1/restore", files={"picture": picture}, timeout=0.5)
        wait_for(lambda: worker.starts == 2)  # ended, and started anew
        worker.seconds = 0.0
        assert restore(live, picture).status_code == 200


def test_a_worker_that_ends_or_takes_too_long_is_replaced(picture: bytes) -> None:
    worker = Stub(seconds=20)
    with client_of(worker, max_work_seconds=0.2) as client:
        answer = client.post("/v1/restore", files={"picture": picture})
        assert (answer.status_code, answer.json()["code"]) == (503, "too_long")
        worker.seconds = 0.0
        assert client.post("/v1/restore", files={"picture": picture}).status_code == 200
        assert worker.starts == 2
    worker = Stub(seconds=20)
    with client_of(worker) as client:
        threading.Timer(0.3, worker.kill).start()  # as the kernel would, for want of memory
        answer = client.post("/v1/restore", files={"picture": picture})
        assert (answer.status_code, answer.json()["code"]) == (503, "ended")
        worker.seconds = 0.0
        assert client.post("/v1/restore", files={"picture": picture}).status_code == 200
        assert state_of_client(client).queue.restarts == 1


def test_a_bug_is_one_line_for_the_client(picture: bytes) -> None:
    from lumiface.web.work.tasks import Faulty

    worker = Stub()

    def broken(task, announce):  # type: ignore[no-untyped-def]
        raise Faulty("Traceback: secrets of the machine")

    worker.run = broken  # type: ignore[method-assign]
    with client_of(worker) as client:
        answer = client.post("/v1/restore", files={"picture": picture})
        assert answer.status_code == 500
        assert "secrets" not in answer.text
        assert "a bug in lumiface" in answer.json()["detail"]
