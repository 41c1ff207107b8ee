"""How steady a restored video is: `lumiface video` beside the same frames restored as photographs.

    python benchmarks/video.py video --data-root DATA --json benchmarks/results/speed.json

`carried`: the aligned face of such clips through `prior3d`, its prior sampled anew for each frame or carried.

Clips of 40 frames: a camera moves over a portrait of faces256-hq (known, steady truth), which is darkened to
an eighth of its linear light, with new shot and read noise in every frame, and stored in 8 bits. `flicker`:
of the mean luma, 8-bit levels; `warping`: warping error, times 10,000; both over the frame, and in the
aligned crops of the face. `lpips`: LPIPS-squeeze of every fourth frame to the truth. The input lit by its
mean gamma is the first row, and the truth the last.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from sections import current_provenance, first_pictures, report_progress, run_section
from torch import Tensor

from lumiface.faces.align import crop_face, face_matrix
from lumiface.faces.find import find_faces
from lumiface.faces.warp import warp
from lumiface.imaging.io import Picture, decode_rgb8
from lumiface.imaging.mean_gamma import mean_gamma
from lumiface.imaging.quantize import from_uint8, quantize, to_uint8
from lumiface.metrics.lpips import LPIPS
from lumiface.metrics.temporal import luma_flicker, warping_error
from lumiface.registry import load_model
from lumiface.restoration.config import RestoreConfig
from lumiface.restoration.restorer import Restorer
from lumiface.video.carried_priors import SECONDS
from lumiface.video.frames import VideoFrame
from lumiface.video.restorer import VideoRestorer

SET, CLIPS, FRAMES, SIDE, RATE = "faces256-hq", 8, 40, 256, 25
LIGHT = 0.125
PRIOR_CLIPS, PRIOR_FRAMES = 4, 16
PRIOR_WAYS = {"prior of each frame": 0.0, "prior carried on": math.exp(-1.0 / (RATE * SECONDS))}


def video(args: argparse.Namespace) -> dict[str, Any]:
    """A row per way: means over the clips."""
    torch.set_num_threads(1)
    source = first_pictures(args, SET, CLIPS)
    restorer = Restorer(None, RestoreConfig(scale=1))
    lpips = LPIPS("squeeze")
    found: defaultdict[str, list[dict[str, float]]] = defaultdict(list)
    for done, (name, data) in enumerate(source.items(), start=1):
        truth = _camera(from_uint8(decode_rgb8(data, name)))
        dark = _darkened(truth, done)
        seconds: dict[str, float] = {}
        ways = {"input, mean gamma": _lit(dark, truth)}
        for way, run in _WAYS.items():
            start = time.perf_counter()
            ways[way] = run(restorer, dark)
            seconds[way] = (time.perf_counter() - start) / FRAMES
        ways["truth"] = truth
        face = find_faces(truth[:1], restorer.detector, which="largest")[0]
        places = [_moved(face_matrix(face), t) for t in range(FRAMES)]
        true_faces = _crops(truth, places)
        for way, frames in ways.items():
            faces = _crops(frames, places)
            found[way].append(
                {
                    "flicker": luma_flicker(frames),
                    "flicker_face": luma_flicker(faces),
                    "warping": warping_error(frames, truth),
                    "warping_face": warping_error(faces, true_faces),
                    "lpips": float(lpips(frames[::4], truth[::4]).mean()),
                    "seconds_per_frame": seconds.get(way, 0.0),
                }
            )
        report_progress(20 * done, 20 * len(source))
    rows = [{"way": way} | _means(clips) for way, clips in found.items()]
    for row in rows:
        print(json.dumps(row))
    return {"set": SET, "clips": len(source), "frames": FRAMES, "rows": rows, "origin": current_provenance()}


def carried(args: argparse.Namespace) -> dict[str, Any]:
    """The enhancer's own flicker: aligned crops of 256 pixels, by the weight of the prior before."""
    torch.set_num_threads(1)
    source = first_pictures(args, SET, PRIOR_CLIPS)
    (model,) = args.models
    network: Any = load_model(model)
    detector, lpips = Restorer(None, RestoreConfig(scale=1)).detector, LPIPS("squeeze")
    found: defaultdict[str, list[dict[str, float]]] = defaultdict(list)
    for done, (name, data) in enumerate(source.items(), start=1):
        truth = _camera(from_uint8(decode_rgb8(data, name)))[:PRIOR_FRAMES]
        face = find_faces(truth[:1], detector, which="largest")[0]
        places = [_moved(face_matrix(face), t) for t in range(PRIOR_FRAMES)]
        true_faces, dark = _crops(truth, places, SIDE), _crops(_darkened(truth, done), places, SIDE)
        ways = {"input, mean gamma": _lit(dark, true_faces), "truth": true_faces}
        for way, weight in PRIOR_WAYS.items():
            ways[way] = _enhanced(network, dark, weight)
        for way, faces in ways.items():
            found[way].append(
                {
                    "flicker": luma_flicker(faces),
                    "warping": warping_error(faces, true_faces),
                    "lpips": float(lpips(faces[::4], true_faces[::4]).mean()),
                }
            )
        report_progress(20 * done, 20 * len(source))
    rows = [{"way": way} | _means(clips) for way, clips in found.items()]
    for row in rows:
        print(json.dumps(row))
    about = {"set": SET, "clips": len(source), "frames": PRIOR_FRAMES, "model": model}
    return about | {"rows": rows, "origin": current_provenance()}


@torch.inference_mode()
def _enhanced(network: Any, clip: Tensor, carried: float) -> Tensor:
    before, frames = None, []
    for frame in clip:
        output, before = network.enhance_frame(frame[None], before, carried)
        frames.append(quantize(output))
    return torch.cat(frames)


def _camera(portrait: Tensor) -> Tensor:
    """(FRAMES, 3, SIDE, SIDE): the portrait seen by a hand-held camera that pans, turns and zooms."""
    return torch.cat([quantize(warp(portrait, _view(t), (SIDE, SIDE))) for t in range(FRAMES)])


def _view(t: int) -> Tensor:
    """(2, 3): the unit square of frame t -> pixels of the portrait."""
    zoom, angle = 1.15 + 0.05 * math.sin(0.13 * t), math.radians(2.0 * math.sin(0.07 * t))
    x, y = 128.0 + 8.0 * math.sin(0.11 * t) + 0.3 * t, 128.0 + 4.0 * math.cos(0.17 * t)
    side = SIDE * zoom
    turn = torch.tensor([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]) * side
    corner = torch.tensor([x, y]) - turn @ torch.tensor([0.5, 0.5])
    return torch.cat([turn, corner[:, None]], 1).double()


def _moved(first: Tensor, t: int) -> Tensor:
    """The matrix of a face's crop in frame t from that in frame 0."""

    def square(matrix: Tensor) -> Tensor:
        return torch.cat([matrix, matrix.new_tensor([[0.0, 0.0, 1.0]])])

    unit = torch.diag(torch.tensor([1.0 / SIDE, 1.0 / SIDE, 1.0], dtype=torch.float64))
    from_portrait = square(first) @ torch.linalg.inv(square(_view(0)) @ unit)
    return (from_portrait @ square(_view(t)) @ unit)[:2]


def _crops(frames: Tensor, places: list[Tensor], side: int = 128) -> Tensor:
    pairs = zip(frames, places, strict=True)
    return torch.cat([crop_face(frame[None], place, side) for frame, place in pairs]).clamp(0.0, 1.0)


def _darkened(truth: Tensor, seed: int) -> Tensor:
    """Little light, with the noise of a small sensor: new in every frame."""
    draws = torch.Generator().manual_seed(seed)
    light = LIGHT * truth**2.2
    noise = torch.randn(light.shape, generator=draws) * (6e-4 * light + 1e-6).sqrt()
    return quantize((light + noise).clamp(0.0, 1.0) ** (1 / 2.2))


def _lit(dark: Tensor, truth: Tensor) -> Tensor:
    """One gamma for the whole clip, that meets the mean of the truth."""
    return quantize(dark ** mean_gamma(dark.mean(0, keepdim=True), float(truth.mean())))


def _frames(clip: Tensor) -> Iterator[VideoFrame]:
    for index, frame in enumerate(clip):
        yield VideoFrame(np.ascontiguousarray(to_uint8(frame).permute(1, 2, 0).numpy()), index, index)


def _each(restorer: Restorer, clip: Tensor) -> Tensor:
    return torch.cat([quantize(restorer(Picture(frame[None])).picture.rgb) for frame in clip])


def _tracked(restorer: Restorer, clip: Tensor, *, steady: bool) -> Tensor:
    frames = VideoRestorer(restorer, RATE, 1, steady=steady)(_frames(clip))
    return torch.cat([from_uint8(frame.rgb) for frame in frames])


_WAYS = {
    "frame by frame": _each,
    "tracked": lambda restorer, clip: _tracked(restorer, clip, steady=False),
    "video": lambda restorer, clip: _tracked(restorer, clip, steady=True),
}


def _means(clips: list[dict[str, float]]) -> dict[str, float]:
    return {key: float(np.mean([clip[key] for clip in clips])) for key in clips[0]}


if __name__ == "__main__":
    run_section(__doc__, {"video": video, "carried": carried}, {"video": [], "carried": ["prior3d-small"]})
