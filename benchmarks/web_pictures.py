"""Pictures of the page of `lumiface web`, for the documents.

    python benchmarks/web_pictures.py --out docs/images

Writes web-start.jpg, web-faces.jpg and web-result.jpg (English, desktop, light) and web-phone.jpg (Chinese,
phone, dark). Needs Chromium and the extra `dev`. The photograph is the demonstration's (NASA, public domain).
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from importlib import resources
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from lumiface.degradations.resample import resize
from lumiface.imaging.io import Picture, decode_rgb8, write_picture
from lumiface.imaging.quantize import from_uint8

OPTIONS = (
    *("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
)


def photograph(target: Path) -> None:
    """The demonstration's photograph, very dark and at 30 % of its size."""
    source = resources.files("lumiface.restoration") / "demo_data" / "astronaut.jpg"
    rgb = from_uint8(decode_rgb8(source.read_bytes(), "astronaut.jpg").copy())
    height, width = (round(0.3 * side) for side in rgb.shape[-2:])
    write_picture(Picture(0.6 * resize(rgb, (height, width)).clamp(0, 1) ** 3), target)


def show(browser: Any, address: str, photo: Path, out: Path) -> None:
    """Both visits."""
    desk = {"viewport": {"width": 1280, "height": 800}, "locale": "en-GB", "color_scheme": "light"}
    phone = {
        "viewport": {"width": 390, "height": 844},
        "locale": "zh-CN",
        "color_scheme": "dark",
        "device_scale_factor": 2,
    }
    for settings, names in ((desk, ("web-start", "web-faces", "web-result")), (phone, ("", "", "web-phone"))):
        page = browser.new_context(**settings).new_page()
        page.set_default_timeout(180_000)
        page.goto(address)
        page.wait_for_selector("body[data-ready]")
        _save(page, out, names[0])
        page.set_input_files("#files", photo)
        page.wait_for_selector("#restore")
        _save(page, out, names[1])
        page.click("#restore")
        page.wait_for_selector("#download")
        _save(page, out, names[2])


def _save(page: Any, out: Path, name: str) -> None:
    page.wait_for_timeout(600)  # pictures are decoded
    if name:
        page.screenshot(path=out / f"{name}.jpg", type="jpeg", quality=86)


def main() -> None:
    """Start the server, visit it, end it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of the pictures")
    out: Path = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    words = [sys.executable, "-m", "lumiface", "web", "--port", "0"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    try:
        address = re.search(r"http://\S+", process.stdout.readline())
        assert address is not None, "the server did not start"
        with tempfile.TemporaryDirectory() as folder, sync_playwright() as running:
            photograph(Path(folder) / "party.jpg")
            browser = running.chromium.launch(executable_path=shutil.which("chromium"), args=list(OPTIONS))
            show(browser, address.group(), Path(folder) / "party.jpg", out)
            browser.close()
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
