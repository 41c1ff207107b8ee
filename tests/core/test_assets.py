from __future__ import annotations

import hashlib
import threading
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch

from lumiface.core import assets
from lumiface.core.errors import AssetMissing, InputError, SettingError


@pytest.fixture(autouse=True)
def empty_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, an empty torch.hub and the empty folder that LUMIFACE_ASSETS names."""
    folder = tmp_path / "assets"
    folder.mkdir()
    monkeypatch.setenv("LUMIFACE_ASSETS", str(folder))
    monkeypatch.setattr(assets, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    return folder


def declare(monkeypatch: pytest.MonkeyPatch, content: bytes, url: str | None = None) -> assets.Asset:
    digest = hashlib.sha256(content).hexdigest()
    asset = replace(assets.ASSETS["squeezenet1_1"], name="asset", file="asset.bin", sha256=digest, url=url)
    monkeypatch.setitem(assets.ASSETS, "asset", asset)
    return asset


@pytest.mark.parametrize("asset", assets.ASSETS.values(), ids=lambda asset: asset.name)
def test_every_row_says_what_it_is(asset: assets.Asset) -> None:
    assert len(asset.sha256) == 64
    assert int(asset.sha256, 16) > 0
    assert asset.source.startswith("https://")
    assert asset.content
    assert asset.licence
    # torchvision writes the first digits of the hash into the name of its files.
    if "pytorch.org" in asset.source:
        assert Path(asset.file).stem.endswith("-" + asset.sha256[:8])


def test_the_folders_are_searched_in_order(
    empty_machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asset = declare(monkeypatch, b"the asset")
    folders = [tmp_path / "hub" / "checkpoints", tmp_path / "cache", empty_machine]
    for folder in folders:  # from the last to the first
        folder.mkdir(parents=True, exist_ok=True)
        (folder / asset.file).write_bytes(b"the asset")
        assert assets.find_asset("asset") == folder / asset.file


def test_works_without_the_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LUMIFACE_ASSETS")
    asset = declare(monkeypatch, b"x")
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / asset.file).write_bytes(b"x")
    assert assets.find_asset("asset") == tmp_path / "cache" / asset.file


@pytest.mark.parametrize("name", ["lpips_squeeze", "alexnet", "vgg16"])
def test_what_is_missing_is_named_in_one_line(name: str, tmp_path: Path) -> None:
    with pytest.raises(AssetMissing) as caught:
        assets.find_asset(name)
    text = str(caught.value)
    assert "\n" not in text
    for fragment in (assets.ASSETS[name].file, assets.ASSETS[name].source, "LUMIFACE_ASSETS", str(tmp_path)):
        assert fragment in text


def test_a_file_that_is_something_else_is_refused(
    empty_machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asset = declare(monkeypatch, b"right")
    file = empty_machine / asset.file
    file.write_bytes(b"wrong!")
    with pytest.raises(InputError, match="delete it"):
        assets.find_asset("asset")
    file.write_bytes(b"right")
    assert assets.find_asset("asset") == file


def test_unknown_names_are_refused() -> None:
    with pytest.raises(SettingError, match="lpips_squeeze"):
        assets.find_asset("lpips_squeezed")


@pytest.fixture
def server(tmp_path: Path):
    """A web server on this machine that has one file, asset.bin."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "asset.bin").write_bytes(b"the asset")
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=str(site)))
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{httpd.server_port}/"
    httpd.shutdown()
    httpd.server_close()


def test_downloads_once_and_only_when_asked(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    declare(monkeypatch, b"the asset", server + "asset.bin")
    with pytest.raises(AssetMissing):
        assets.find_asset("asset", download=False)
    path = assets.find_asset("asset")
    assert path == tmp_path / "cache" / "asset.bin"
    assert path.read_bytes() == b"the asset"
    monkeypatch.setattr(assets, "_download", None)  # would fail if it were called again
    assert assets.find_asset("asset") == path


@pytest.mark.parametrize(("content", "page"), [(b"another", "asset.bin"), (b"the asset", "gone.bin")])
def test_a_bad_download_leaves_nothing(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, page: str
) -> None:
    declare(monkeypatch, content, server + page)
    with pytest.raises(AssetMissing, match="download from http://127"):
        assets.find_asset("asset")
    assert not list((tmp_path / "cache").glob("*"))
