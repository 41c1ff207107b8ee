"""Whether the server of `lumiface web` loses a request: many at once, each answered or asked to come later.

    python benchmarks/server.py server --data-root DATA --json benchmarks/results/trust.json

A server with its default limits gets 50 requests to restore a face of 64 pixels at the same moment.
answered: status 200 and a picture; told_later: status 429 with Retry-After; lost: all others. peak_mib:
largest resident memory of the process that answers and of the one that restores, together. In the second
round each request that was to come later does so, until it is answered.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

import httpx2
from PIL import Image
from sections import current_provenance, first_pictures, run_section

REQUESTS = 50
SIDE = 64


def server(args: argparse.Namespace) -> dict[str, Any]:
    """Both rounds, on one server."""
    picture = _picture(args)
    words = [sys.executable, "-m", "lumiface", "web", "--port", "0", "--device", "cpu"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    found = re.search(r"http://\S+", process.stdout.readline())
    assert found is not None, "the server did not start"
    try:
        address, limits = found.group(), httpx2.Limits(max_connections=REQUESTS)
        with httpx2.Client(base_url=address, timeout=600, limits=limits) as client:
            _ask(client, picture)  # the networks are loaded
            start = time.perf_counter()
            first = _round(client, picture, patient=False)
            seconds = time.perf_counter() - start
            second = _round(client, picture, patient=True)
        peak = sum(_peak_mib(pid) for pid in [process.pid, *_children(process.pid)])
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
    counts = Counter(kind for kind, _ in first)
    record = {
        "requests": REQUESTS,
        "answered": counts["answered"],
        "told_later": counts["later"],
        "lost": counts["lost"],
        "peak_mib": round(peak, 1),
        "seconds": round(seconds, 2),
        "patient": {
            "answered": sum(kind == "answered" for kind, _ in second),
            "median_seconds": round(median(waited for _, waited in second), 1),
        },
        "exit_code": process.returncode,
    }
    print(json.dumps(record, indent=1))
    return record | {"origin": current_provenance()}


def _picture(args: argparse.Namespace) -> bytes:
    """A face of the test set, small and dark, as JPEG."""
    _, data = next(iter(first_pictures(args, "faces256-test", 1).items()))
    small = Image.open(io.BytesIO(data)).convert("RGB").resize((SIDE, SIDE), Image.Resampling.BOX)
    out = io.BytesIO()
    small.point(lambda level: round(0.7 * 255 * (level / 255) ** 3)).save(out, "JPEG", quality=95)
    return out.getvalue()


def _round(client: httpx2.Client, picture: bytes, *, patient: bool) -> list[tuple[str, float]]:
    """What became of each request, and the seconds until then."""

    def one(_: int) -> tuple[str, float]:
        start = time.perf_counter()
        kind, wait = _ask(client, picture)
        while patient and kind == "later":
            time.sleep(wait)
            kind, wait = _ask(client, picture)
        return kind, time.perf_counter() - start

    with ThreadPoolExecutor(REQUESTS) as pool:
        return list(pool.map(one, range(REQUESTS)))


def _ask(client: httpx2.Client, picture: bytes) -> tuple[str, float]:
    try:
        answer = client.post("/v1/restore", files={"picture": ("face.jpg", picture)})
    except httpx2.HTTPError:
        return "lost", 0.0
    if answer.status_code == 200 and Image.open(io.BytesIO(answer.content)).size[0] >= SIDE:
        return "answered", 0.0
    wait = answer.headers.get("Retry-After", "")
    return ("later", float(wait)) if answer.status_code == 429 and wait.isdigit() else ("lost", 0.0)


def _children(pid: int) -> list[int]:
    """Processes that any thread of a process has started."""
    lists = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(word) for path in lists for word in path.read_text(encoding="ascii").split()]


def _peak_mib(pid: int) -> float:
    """VmHWM: the largest resident memory of a process so far."""
    text = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    found = re.search(r"VmHWM:\s+(\d+) kB", text)
    return float(found.group(1)) / 1024 if found else 0.0


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    run_section(__doc__, {"server": server}, {"server": []})
