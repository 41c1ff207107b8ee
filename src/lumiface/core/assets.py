"""Pretrained assets by third parties: their contents, sources and licences, and their files on this machine.

They are not part of the package. An asset is searched for in the folder named by `LUMIFACE_ASSETS`, in the
user's cache and in torch.hub's checkpoints; if it has a small official single file, that is then downloaded
into the cache. Every file is checked against its hash before use.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any

from lumiface.core.errors import AssetMissing, InputError, SettingError

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, slots=True)
class Asset:
    """One asset.

    Attributes:
        name: key in `ASSETS`.
        file: its name on disk.
        content: one line for people.
        source: web page of the publisher.
        sha256: of the file.
        licence: of the content.
        url: address of the file, if it may be downloaded automatically.
    """

    name: str
    file: str
    content: str
    source: str
    sha256: str
    licence: str
    url: str | None = None


_TORCHVISION = "https://download.pytorch.org/models/"
_BASICSR = "https://github.com/XPixelGroup/BasicSR/raw/master/basicsr/metrics/"
# A commit, because the file has moved in that repository since.
_MEDIAPIPE = "https://github.com/google-ai-edge/mediapipe/raw/a908d668c730da128dfa8d9f6bd25d519d006692/"
_MEDIAPIPE_MODELS = "https://storage.googleapis.com/mediapipe-models/"
# Likewise a commit: the file is exported anew from time to time.
_YUNET = "https://github.com/ShiqiYu/libfacedetection.train/raw/dca340aa082c71081a68d17db8e58b33a58a914b/"
_FIDELITY = "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/"

_TABLE = (
    Asset(
        name="lpips_squeeze",
        file="lpips_squeeze.pt",
        content="LPIPS v0.1 on SqueezeNet 1.1, features and heads in one file",
        # Not published as a file: it is the state dict of that package's LPIPS(net="squeeze").
        source="https://github.com/richzhang/PerceptualSimilarity",
        sha256="7cd946eed7f1fe14bd62e8de052a03eb5a960d7d03fb8a20da8f5d861058ed5f",
        licence="BSD-2-Clause (heads), BSD-3-Clause (features)",
    ),
    Asset(
        name="squeezenet1_1",
        file="squeezenet1_1-b8a52dc0.pth",
        content="SqueezeNet 1.1 trained on ImageNet, the features of LPIPS-squeeze",
        source=_TORCHVISION + "squeezenet1_1-b8a52dc0.pth",
        sha256="b8a52dc049b60e4b6ab68ad0df457362afab8b6304b2febdc1650a5dab4d7e7b",
        licence="BSD-3-Clause",
        url=_TORCHVISION + "squeezenet1_1-b8a52dc0.pth",
    ),
    # Files of hundreds of megabytes are left to the user to download: none of these has a `url`.
    Asset(
        name="alexnet",
        file="alexnet-owt-7be5be79.pth",
        content="AlexNet trained on ImageNet, the features of LPIPS-alex",
        source=_TORCHVISION + "alexnet-owt-7be5be79.pth",
        sha256="7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02",
        licence="BSD-3-Clause",
    ),
    Asset(
        name="vgg16",
        file="vgg16-397923af.pth",
        content="VGG-16 trained on ImageNet, the features of LPIPS-vgg",
        source=_TORCHVISION + "vgg16-397923af.pth",
        sha256="397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
        licence="BSD-3-Clause",
    ),
    Asset(
        name="vgg19",
        file="vgg19-dcbb9e9d.pth",
        content="VGG-19 trained on ImageNet, the features of blind restoration's perceptual loss",
        source=_TORCHVISION + "vgg19-dcbb9e9d.pth",
        sha256="dcbb9e9dad569fff7a846263a77324fc34978fea2bfb039c012d710e1776ae44",
        licence="BSD-3-Clause",
    ),
    Asset(
        name="niqe_pris_params",
        file="niqe_pris_params.npz",
        content="NIQE's model of pristine photographs, as estimated by its authors",
        source=_BASICSR + "niqe_pris_params.npz",
        sha256="2a7c182a68c9e7f1b2e2e5ec723279d6f65d912b6fcaf37eb2bf03d7367c4296",
        licence="Apache-2.0",
        url=_BASICSR + "niqe_pris_params.npz",
    ),
    Asset(
        name="edgeface_xxs",
        file="edgeface_xxs.pt",
        content="EdgeFace-XXS, face embeddings for scores",
        source="https://github.com/otroshi/edgeface",
        sha256="c736a7166222b28fddee6001de4d63e9134efd83172e58d5e2a5586ec3f52e20",
        licence="BSD-3-Clause, trained on research data",
    ),
    Asset(
        name="mobilefacenet",
        file="mobilefacenet.pt",
        content="MobileFaceNet, face embeddings for losses and scores",
        source="https://github.com/foamliu/MobileFaceNet",
        sha256="90a00ba1d8b0b688af3deb731ed53dca582e6106805d1bc3cfdef55f570493f4",
        licence="Apache-2.0, trained on research data",
    ),
    Asset(
        name="inception_fid",
        file="weights-inception-2015-12-05-6726825d.pth",
        content="Inception v3 of 2015, whose features FID is defined on",
        source=_FIDELITY + "weights-inception-2015-12-05-6726825d.pth",
        sha256="6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
        licence="Apache-2.0",
    ),
    Asset(
        name="yunet",
        file="yunet_n_dynamic.onnx",
        content="YuNet-n, a small face detector that OpenCV runs",
        source="https://github.com/ShiqiYu/libfacedetection.train",
        sha256="104ee26c71d5c270ce79a6b3dced91c91013260d29a6bf18f9296c5b8c4c2b12",
        licence="Apache-2.0",
        url=_YUNET + "onnx/yunet_n_dynamic.onnx",
    ),
    Asset(
        name="zero_dce",
        file="zero_dce.pth",
        content="Zero-DCE with its authors' weights (there snapshots/Epoch99.pth)",
        source="https://github.com/Li-Chongyi/Zero-DCE",
        sha256="a4395acb874f320375d9704997cef874eaaaaa26a1777ceb29a92b70f74c3612",
        licence="CC BY-NC 4.0, academic use only",
    ),
    Asset(
        name="sci_medium",
        file="sci_medium.pt",
        content="SCI with its authors' weights for moderately dark pictures (there weights/medium.pt)",
        source="https://github.com/vis-opt-group/SCI",
        sha256="4ff1e7e66e8f18114f790e5085ca4c936f0858e329e7ad1cb65b8aa09a9c6916",
        licence="MIT",
    ),
    Asset(
        name="vgg_normalised_conv3_1",
        file="vgg_normalised_conv3_1.pth",
        content="VGG-19 with activations of mean 1, up to relu3_1 (first 18 layers of vgg_normalised.pth)",
        # Gatys et al.'s network as redistributed by style-transfer repositories, truncated after conv3_1.
        source="https://github.com/naoto0804/pytorch-AdaIN",
        sha256="4ffff49ad5cdc3337374b947918f35f903fcb0898b0b5eebfcbd601b99fc3929",
        licence="CC BY 4.0 (VGG)",
    ),
    Asset(
        name="canonical_face_model",
        file="canonical_face_model.obj",
        content="MediaPipe's canonical face: 468 vertices in centimetres, 898 triangles",
        source=_MEDIAPIPE + "mediapipe/modules/face_geometry/data/canonical_face_model.obj",
        sha256="8bac80443397e113f41a8b565ea72c59390bc031d9defab289dba7bc0c54e618",
        licence="Apache-2.0",
        url=_MEDIAPIPE + "mediapipe/modules/face_geometry/data/canonical_face_model.obj",
    ),
    Asset(
        name="face_landmarker",
        file="face_landmarker.task",
        content="MediaPipe's face landmarker, 478 points of a face (its package has no model inside)",
        source=_MEDIAPIPE_MODELS + "face_landmarker/face_landmarker/float16/1/face_landmarker.task",
        sha256="64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff",
        licence="Apache-2.0",
        # Left to the user, who also installs that package.
    ),
)

ASSETS = {asset.name: asset for asset in _TABLE}


def find_asset(name: str, *, download: bool = True) -> Path:
    """Path of the asset `name` on this machine, its hash checked.

    Args:
        name: a key of `ASSETS`.
        download: download it if it is not found and has a `url`.

    Raises:
        SettingError: there is no asset of that name.
        AssetMissing: it is not found and cannot be downloaded.
        InputError: a file of its name has another hash.
    """
    if name not in ASSETS:
        raise SettingError(f"there is no pretrained asset {name}; choose from {', '.join(ASSETS)}")
    asset = ASSETS[name]
    for folder in _folders():
        path = folder / asset.file
        if path.is_file():
            _check_hash(path, asset)
            return path
    if download and asset.url is not None:
        return _download(asset, asset.url)
    raise AssetMissing(
        f"{asset.file} is missing ({asset.content}): get it from {asset.source} "
        f"and put it in the folder named by LUMIFACE_ASSETS or in {cache_folder()}"
    )


def load_published(network: nn.Module, path: Path, layers: Mapping[str, str]) -> None:
    """Load a published state dict whose layers have other names into `network`; its other keys are ignored.

    Args:
        network: all of its parameters and buffers must be in the file, with equal shapes.
        path: a file of `torch.save` with tensors by name.
        layers: layer of `network` -> layer in the file.

    Raises:
        InputError: the file cannot be read, or holds something else.
    """
    import torch

    kind = type(network).__name__
    try:
        published = torch.load(path, map_location="cpu", weights_only=True)
        state: dict[str, Any] = {}
        for name in network.state_dict():
            layer, _, parameter = name.rpartition(".")
            if (key := f"{layers[layer]}.{parameter}") in published:
                state[name] = published[key]
        network.load_state_dict(state)
    except (OSError, EOFError, UnpicklingError, RuntimeError, TypeError, AttributeError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise InputError(f"{path} does not hold the published weights of {kind}: {reason}") from error


def cache_folder() -> Path:
    """The folder of downloaded assets; it may not exist yet."""
    import platformdirs

    return Path(platformdirs.user_cache_dir("lumiface")) / "assets"


def _folders() -> list[Path]:
    import torch

    variable = os.environ.get("LUMIFACE_ASSETS")
    chosen = [Path(variable).expanduser()] if variable else []
    return [*chosen, cache_folder(), Path(torch.hub.get_dir()) / "checkpoints"]


def _check_hash(path: Path, asset: Asset) -> None:
    state = path.stat()
    digest = _sha256(path, state.st_size, state.st_mtime_ns)
    if digest != asset.sha256:
        raise InputError(
            f"{path} is not {asset.name} (sha256 {digest[:12]}…, expected {asset.sha256[:12]}…): "
            f"delete it and get it again from {asset.source}"
        )


@lru_cache(maxsize=32)
def _sha256(path: Path, size: int, changed: int) -> str:
    """Digest of a file; `size` and `changed` make the cache miss after the file has changed."""
    del size, changed
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _download(asset: Asset, url: str) -> Path:
    import pooch

    # pooch writes to a temporary file, checks the hash (ValueError) and only then renames; network errors
    # are OSErrors.
    log = pooch.get_logger()
    level = log.level
    log.setLevel("WARNING")  # one line on what became of it is enough
    try:
        path = pooch.retrieve(
            url,
            known_hash=f"sha256:{asset.sha256}",
            fname=asset.file,
            path=cache_folder(),
        )
    except (OSError, ValueError) as error:
        raise AssetMissing(
            f"{asset.file} is missing ({asset.content}) and its download from {url} failed "
            f"({type(error).__name__}): put the file in {cache_folder()}"
        ) from error
    finally:
        log.setLevel(level)
    log.info("%s downloaded from %s to %s", asset.file, url, path)
    return Path(path)
