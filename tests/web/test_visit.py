"""`lumiface web` as it is typed: programs, two visits with a browser, and the end by a signal."""

from __future__ import annotations

import io
import json
import shutil
import signal
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest
from PIL import Image

from lumiface.web.store import PREFIX
from web_server import Command, Stub, command, listening

OPTIONS = (
    *("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
)


@pytest.fixture
def dark() -> bytes:
    """A JPEG of 72 x 72 pixels with a dark face."""
    from skimage.data import astronaut

    face = Image.fromarray(astronaut()[30:220, 130:320]).resize((72, 72), Image.Resampling.BOX)
    out = io.BytesIO()
    Image.fromarray((0.7 * (0.95 * np.asarray(face) / 255) ** 3 * 255).astype(np.uint8)).save(
        out, "JPEG", quality=95
    )
    return out.getvalue()


@contextmanager
def open_browser() -> Iterator[Any]:
    """Chromium, without a window; skips the test where it is missing."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip(
            "no chromium on this machine: the page was not visited (Debian: apt-get install chromium)"
        )
    with playwright.sync_playwright() as running:
        found = running.chromium.launch(executable_path=chromium, args=list(OPTIONS))
        yield found
        found.close()


def visit(browser: Any, address: str, size: tuple[int, int], language: str) -> tuple[Any, list[str]]:
    """A page that is open and ready, and what goes wrong in it."""
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, locale=language)
    page, faults = context.new_page(), list[str]()

    def request(made: Any) -> None:
        if not made.url.startswith((address, "blob:", "data:")):
            faults.append(f"a request to another host: {made.url}")

    page.on("request", request)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda line: faults.append(line.text) if line.type == "error" else None)
    page.set_default_timeout(40_000)
    page.goto(address)
    page.wait_for_selector("body[data-ready]")
    return page, faults


def check_accessible(page: Any) -> None:
    """axe finds nothing serious or critical, and the page is not wider than the screen."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    found = axe.Axe().run(page).response["violations"]
    bad = [
        (violation["id"], [node["html"][:200] for node in violation["nodes"]])
        for violation in found
        if violation["impact"] in ("serious", "critical")
    ]
    assert bad == []
    width = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert width[0] <= width[1]


def visit_with_mouse_and_keyboard(browser: Any, server: Command, dark: bytes, tmp_path: Path) -> None:
    (tmp_path / "party.jpg").write_bytes(dark)
    page, faults = visit(browser, server.address, (1280, 860), "en-GB")
    assert page.inner_text("#headline") == "Bring faces out of the dark"
    check_accessible(page)
    page.set_input_files("#files", tmp_path / "party.jpg")
    page.wait_for_selector(".face input")
    assert "1 face found" in page.inner_text("#panel")
    check_accessible(page)
    # The face is left out and chosen again, by mouse and keyboard.
    page.click(".face")
    assert not page.is_checked(".face input")
    assert page.inner_text("#restore") == "Give it light"
    page.focus(".face input")
    page.keyboard.press("Space")
    assert page.is_checked(".face input")
    assert "Face 1" in page.get_attribute(".face input", "aria-label")
    page.click("summary >> nth=0")
    page.check("input[name=option-scale][value='2']", force=True)
    page.focus("#option-strength")
    page.keyboard.press("ArrowLeft")
    assert page.inner_text("output[for=option-strength]") == "95 %"
    page.click("#restore")
    page.wait_for_selector("#download")
    assert "party.jpg is restored" in page.inner_text("#status")
    # The divider, by keyboard and by mouse.
    divider = page.locator(".divider input")
    divider.focus()
    page.keyboard.press("Home")
    assert divider.get_attribute("aria-valuetext") == "0 % before"
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.querySelector('.pair').style.getPropertyValue('--at')") == "1%"
    box = page.locator(".pair").bounding_box()
    page.mouse.click(box["x"] + 0.75 * box["width"], box["y"] + 10)
    assert 72 <= int(divider.input_value()) <= 78
    page.click("text=4×")
    assert page.locator(".pair").bounding_box()["width"] == pytest.approx(4 * 144, abs=1)
    page.click("text=Fit")
    card = page.inner_text(".trust")
    assert "Face 1" in card
    assert "by the network" in card or "own detail" in card
    assert "Same person (1: surely)" in card
    check_accessible(page)
    with page.expect_download() as download:
        page.click("#download")
    assert download.value.suggested_filename == "party_lumiface.jpg"
    result = Image.open(download.value.path())
    assert result.size == (144, 144)
    assert np.asarray(result).mean() > 1.3 * np.asarray(Image.open(io.BytesIO(dark))).mean()
    page.reload()
    page.wait_for_selector("#download")  # still there
    page.click("#forget")
    page.wait_for_selector("#welcome:not([hidden])")
    assert faults == []
    page.context.close()


def visit_on_a_phone_in_chinese(browser: Any, server: Command, dark: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(dark)
    (tmp_path / "b.png").write_bytes(b"#!/bin/sh")
    page, faults = visit(browser, server.address, (390, 844), "zh-CN")
    assert page.get_attribute("html", "lang") == "zh-CN"
    assert page.inner_text("#choose") == "选择照片"
    page.emulate_media(color_scheme="dark")
    check_accessible(page)
    page.set_input_files("#files", [tmp_path / "a.jpg", tmp_path / "b.png"])
    page.wait_for_selector("text=这个文件不能作为照片使用。")
    page.click(".strip button >> nth=0")
    page.wait_for_selector("#restore")
    check_accessible(page)
    page.click("summary >> nth=0")
    page.check("input[name=option-scale][value='1']", force=True)
    page.click("#restore")
    page.wait_for_selector("#download")
    check_accessible(page)
    page.select_option("#language", "en")
    page.wait_for_selector("text=Download")
    for name in ("limits", "api"):
        page.goto(f"{server.address}/{name}.html")
        page.wait_for_selector("body[data-ready]")
        check_accessible(page)
    assert page.inner_text("h1") == "For programs"  # the language was kept
    assert faults == []
    page.context.close()


def visit_with_a_password(browser: Any, dark: bytes, tmp_path: Path) -> None:
    """With the stub, which gives the photograph back."""
    with listening(Stub(), password="correct horse") as live:
        page, faults = visit(browser, live.address, (1280, 860), "en-GB")
        page.wait_for_selector("#login[open]")
        check_accessible(page)
        page.keyboard.type("wrong")
        page.keyboard.press("Enter")
        page.wait_for_selector("text=This is not the password.")
        page.fill("#password", "correct horse")
        page.keyboard.press("Enter")
        page.wait_for_selector("#login:not([open])", state="attached")
        page.set_input_files("#files", tmp_path / "party.jpg")
        page.wait_for_selector("text=2 faces found")
        page.get_by_role("button", name="None", exact=True).click()
        assert page.locator(".face input:checked").count() == 0
        page.get_by_role("button", name="All", exact=True).click()
        assert page.locator(".face input:checked").count() == 2
        live.worker.seconds = 20
        page.click("#restore")
        page.click("#cancel")
        page.wait_for_selector("#restore")
        assert page.inner_text("#status") == "Cancelled."
        assert [line for line in faults if "401" not in line] == []
        page.context.close()


def find_and_restore(server: Command, dark: bytes) -> None:
    files = {"picture": ("party.jpg", dark, "image/jpeg")}
    found = httpx2.post(f"{server.address}/v1/faces", files=files, timeout=60).json()["pictures"][0]
    assert (found["width"], len(found["faces"])) == (72, 1)
    answer = httpx2.post(f"{server.address}/v1/restore", files=files, data={"task": "joint"}, timeout=60)
    report = json.loads(answer.headers["x-lumiface-report"])
    assert (report["scale"], report["faces"][0]["treatment"]) == (4, "restored")
    assert Image.open(io.BytesIO(answer.content)).size == (288, 288)


def end_in_mid_work(server: Command, dark: bytes) -> None:
    """A photograph is in work when the signal comes: it is finished, the next one refused."""
    answers: list[httpx2.Response] = []

    def restore() -> None:
        files, data = {"picture": ("party.jpg", dark, "image/jpeg")}, {"scale": "4", "task": "joint"}
        answers.append(httpx2.post(f"{server.address}/v1/restore", files=files, data=data, timeout=60))

    running = threading.Thread(target=restore)
    running.start()
    while httpx2.get(f"{server.address}/health").json()["waiting"] == 0:
        assert not answers
    server.process.send_signal(signal.SIGTERM)
    running.join(60)
    assert answers[0].status_code == 200
    assert Image.open(io.BytesIO(answers[0].content)).size == (288, 288)
    assert server.process.wait(30) == 0
    log = server.process.stdout.read() if server.process.stdout else ""
    assert "SIGTERM: finishing what runs" in log
    assert "party.jpg" not in log  # names of visitors' files are not logged
    assert "Traceback" not in log
    assert not list(Path(tempfile.gettempdir()).glob(f"{PREFIX}{server.process.pid}-*"))


def test_from_start_to_end(dark: bytes, tmp_path: Path) -> None:
    """One test, because the start takes longer than all the rest."""
    with command() as server:
        find_and_restore(server, dark)
        skipped: BaseException | None = None
        try:
            with open_browser() as browser:
                visit_with_mouse_and_keyboard(browser, server, dark, tmp_path)
                visit_on_a_phone_in_chinese(browser, server, dark, tmp_path)
                visit_with_a_password(browser, dark, tmp_path)
        except pytest.skip.Exception as reason:
            skipped = reason
        end_in_mid_work(server, dark)
        if skipped is not None:
            raise skipped
