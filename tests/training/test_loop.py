"""Training: schedules, averaging, the draw of data, states on disk, and a run that is killed and goes on."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning.fabric import Fabric
from PIL import Image
from safetensors.torch import load_file

from helpers import train_on_two
from lumiface.core.errors import InputError, LumifaceError, SettingError
from lumiface.data.training.face_set import FaceSet, load_faces
from lumiface.degradations.resample import resize
from lumiface.methods.lfsrnet.recipe import LFSRNetRecipe
from lumiface.registry import load_model, read_metadata
from lumiface.training import logger as observe
from lumiface.training.checkpoint import load_state, save_state
from lumiface.training.config import SizeSchedule, TrainConfig
from lumiface.training.ema import EMA
from lumiface.training.lr_schedule import learning_rate
from lumiface.training.optimizer_step import MAX_NONFINITE_STEPS
from lumiface.training.read_config import find_config, read_config, shipped_configs
from lumiface.training.sampler import Draw, mirror, turn
from lumiface.training.task import Limits, TrainResult
from lumiface.training.tasks.paired import train

STEPS = 10


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory, astronaut_uint8: np.ndarray) -> Path:
    """Eight square crops around the astronaut's face; two of them larger than the others."""
    folder = tmp_path_factory.mktemp("faces")
    for number in range(8):
        crop = astronaut_uint8[20 + 4 * number :, 140 + 6 * number :][:160, :160]
        side = 96 if number < 2 else 64
        Image.fromarray(crop).resize((side, side)).save(folder / f"{number}.png")
    return folder


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Boxes of faces are kept in the user's cache; not in that of the person who runs the tests."""
    cache = tmp_path_factory.getbasetemp() / "cache"
    monkeypatch.setattr("lumiface.data.training.face_set.user_cache_path", lambda name: cache / name)


def config(**changes: Any) -> TrainConfig:
    settings: dict[str, Any] = {
        "name": "trial",
        "method": "lfsrnet",
        "network": {"channels": 16, "blocks": 1, "upsampler": "resize"},
        "train": ["{data}"],
        "validate_on": "{data}",
        "hr_size": 64,
        "sizes": [{"side": 16, "weight": 0.7}, {"side": 24, "weight": 0.3}],
        "batch": 4,
        "steps": STEPS,
        "lr": 1e-3,
        "warmup": 2,
        "rotate": True,
        "validate_every": 4,
        "save_every": 3,
    }
    return TrainConfig(**(settings | changes))


def run(folder: Path, faces: Path, settings: TrainConfig | None = None, **limits: Any) -> TrainResult:
    fabric = Fabric(accelerator="cpu", devices=1, precision="32-true")
    return train(settings or config(), folder, fabric, data_root=str(faces), limits=Limits(**limits))


def test_a_teachers_outputs_are_learnt_from(faces: Path, tmp_path: Path) -> None:
    """Of two runs that differ in nothing else, the one with a teacher ends nearer to the teacher."""
    told, alone, taught = tmp_path / "told", tmp_path / "alone", tmp_path / "taught"
    run(told, faces, config(seed=7))
    run(alone, faces, config(steps=25))
    teacher = told / "last.safetensors"
    run(taught, faces, config(steps=25, teacher=str(teacher), distill_weight=20.0))
    low = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 0.3
    with torch.inference_mode():
        wanted = load_model(str(teacher))(low)
        far, near = (
            float((load_model(str(folder / "last.safetensors"))(low) - wanted).abs().mean())
            for folder in (alone, taught)
        )
    assert near < 0.8 * far


def test_what_pictures_look_like_can_count(
    faces: Path, tmp_path: Path, shared_asset: Callable[[str], Path]
) -> None:
    shared_asset("lpips_squeeze.pt")
    settings = config(lpips=0.5, batch=2, validate_every=1000, sizes=[{"side": 16, "weight": 1.0}])
    folder = tmp_path / "run"
    run(folder, faces, settings.model_copy(update={"steps": 50}))
    line = json.loads((folder / "log.jsonl").read_text().splitlines()[0])
    assert 0.05 < line["lpips"] < 0.5
    assert line["loss"] == pytest.approx(sum(line[part] for part in ("l1", "fft", "mask", "lpips")))


def test_a_teacher_of_another_scale_is_refused(faces: Path, tmp_path: Path) -> None:
    twice = {"channels": 16, "blocks": 1, "upsampler": "resize", "scale": 2}
    run(tmp_path / "twice", faces, config(network=twice), max_steps=1)
    teacher = str(tmp_path / "twice" / "last.safetensors")
    with pytest.raises(SettingError, match="enlarges 2 times; the run needs 4"):
        run(tmp_path / "run", faces, config(teacher=teacher), max_steps=1)


@pytest.mark.slow
def test_two_processes_train_as_one_run(faces: Path, tmp_path: Path) -> None:
    folder = train_on_two(config(), faces, tmp_path / "two")
    assert load_state(folder / "state.safetensors")[1]["step"] == config().steps


# --- a run that is killed -----------------------------------------------------------------------------------

KILLED_AT_STEP_8 = """
import os, signal, sys
from pathlib import Path
import torch
torch.set_num_threads(1)
from lightning.fabric import Fabric
from lumiface.data.training import face_set as faces
from lumiface.training import logger as observe
from lumiface.training.config import TrainConfig
from lumiface.training.tasks.paired import train

config, folder, data, cache = sys.argv[1:]
faces.user_cache_path = lambda name: Path(cache) / name
observe.LOG_EVERY = 1
tell_step = observe.RunLogger.step

def step_and_die(self, step, *facts):
    tell_step(self, step, *facts)
    if step == 8:
        os.kill(os.getpid(), signal.SIGKILL)

observe.RunLogger.step = step_and_die
fabric = Fabric(accelerator="cpu", devices=1, precision="32-true")
train(TrainConfig.model_validate_json(config), Path(folder), fabric, data_root=data)
"""


def curve(folder: Path) -> list[dict[str, float]]:
    """The log's lines without the speed, which is no run's twice."""
    speed = ("images_per_s", "share_of_peak")
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if key not in speed} for line in lines]


def test_a_killed_run_ends_with_the_same_bits(
    faces: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(observe, "LOG_EVERY", 1)
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    straight = run(whole, faces)

    words = [
        config().model_dump_json(),
        str(killed),
        str(faces),
        str(tmp_path_factory.getbasetemp() / "cache"),
    ]
    ended = subprocess.run(
        [sys.executable, "-c", KILLED_AT_STEP_8, *words], capture_output=True, text=True, check=False
    )
    assert ended.returncode == -9, ended.stderr
    assert load_state(killed / "state.safetensors")[1]["step"] == 6
    assert curve(killed)[-1]["step"] == 8  # two steps further than the state: they will be done again

    resumed = run(killed, faces)
    assert (resumed.step, resumed.best) == (STEPS, straight.best)
    for name in ("last", "best"):
        ours, theirs = (load_file(folder / f"{name}.safetensors") for folder in (killed, whole))
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[key], theirs[key]) for key in ours)
    assert curve(killed) == curve(whole)
    steps = [line["step"] for line in curve(whole) if "loss" in line]
    assert steps == list(range(1, STEPS + 1))
    assert [line["step"] for line in curve(whole) if "psnr_y" in line] == [4, 8, STEPS]


def test_stopping_on_purpose_and_going_on(faces: Path, tmp_path: Path) -> None:
    once = run(tmp_path / "once", faces)
    parts = tmp_path / "parts"
    assert run(parts, faces, max_steps=5).step == 5
    assert run(parts, faces, max_minutes=0.0).step == 5
    assert run(parts, faces).step == STEPS
    ours, theirs = (
        load_file(parts / "last.safetensors"),
        load_file(once.weights.with_name("last.safetensors")),
    )
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)
    facts = read_metadata(parts / "last.safetensors")
    assert facts["provenance"]["step"] == STEPS
    assert facts["provenance"]["run"] == config().model_dump()
    assert facts["provenance"]["faces"] == 8
    # What was trained is a model like any other, and more than a day's work can start from it.
    started = run(tmp_path / "next", faces, config(lr=1e-12), max_steps=1, init_from=str(once.weights))
    before, after = load_model(once.weights), load_model(started.weights)
    for ours, theirs in zip(before.parameters(), after.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=0)


def test_a_run_whose_network_has_a_list_of_settings_goes_on(faces: Path, tmp_path: Path) -> None:
    network = {"channels": 8, "transformers": [1, 1, 1], "refinements": 1}
    sizes = [{"side": 16, "weight": 1.0}]
    settings = config(
        method="ctcnet", network=network, sizes=sizes, batch=2, steps=2, warmup=1, validate_every=2
    )
    assert run(tmp_path, faces, settings, max_steps=1).step == 1
    assert run(tmp_path, faces, settings).step == 2


def test_training_learns(faces: Path, tmp_path: Path) -> None:
    outcome = run(tmp_path / "run", faces, config(steps=60, validate_every=20, lr=3e-3, ema=0.9))
    scores = [line["psnr_y"] for line in curve(tmp_path / "run") if "psnr_y" in line]
    assert scores[-1] > scores[0] + 1
    assert outcome.best == max(scores)
    assert (tmp_path / "run" / "validation.png").is_file()
    assert list((tmp_path / "run" / "tensorboard").iterdir())


# --- numbers that are not finite ----------------------------------------------------------------------------


def poison(monkeypatch: pytest.MonkeyPatch, is_poisoned: Callable[[int], bool]) -> None:
    """Make the low pictures of some calls (counted from 0) NaN."""
    degrade, calls = LFSRNetRecipe.degrade, iter(range(10**6))

    def poisoned(self: LFSRNetRecipe, *words: Any) -> tuple[torch.Tensor, torch.Tensor]:
        low, target = degrade(self, *words)
        return (low * torch.nan if is_poisoned(next(calls)) else low), target

    monkeypatch.setattr(LFSRNetRecipe, "degrade", poisoned)


def test_a_poisoned_batch_is_skipped_and_said(faces, tmp_path, monkeypatch, capsys) -> None:
    poison(monkeypatch, lambda call: call in (3, 4))
    assert run(tmp_path / "run", faces).step == STEPS
    weights = load_file(tmp_path / "run" / "last.safetensors")
    assert all(bool(value.isfinite().all()) for value in weights.values())
    said = " ".join(capsys.readouterr().out.split())
    assert "step 3: the gradient is not finite; step skipped (1 in a row)" in said
    assert "step 4: the gradient is not finite; step skipped (2 in a row)" in said


def test_a_run_that_stays_broken_is_given_up(faces, tmp_path, monkeypatch) -> None:
    poison(monkeypatch, lambda call: call >= 2)
    with pytest.raises(LumifaceError, match="not finite; lower lr") as caught:
        run(tmp_path / "run", faces, config(steps=100, validate_every=100, save_every=2))
    assert "\n" not in str(caught.value)
    parts, facts = load_state(tmp_path / "run" / "state.safetensors")
    assert facts["step"] <= 2 + MAX_NONFINITE_STEPS
    assert all(bool(value.isfinite().all()) for value in parts["networks"]["network"].values())


# --- schedule, averaging, draw ------------------------------------------------------------------------------


def test_learning_rate() -> None:
    cosine = config(steps=1000, warmup=100, lr=0.5)
    assert learning_rate(0, cosine) == pytest.approx(0.005)
    assert learning_rate(49, cosine) == pytest.approx(0.25)
    assert learning_rate(99, cosine) == learning_rate(100, cosine) == 0.5
    assert learning_rate(550, cosine) == pytest.approx(0.5 * (0.01 + 0.99 / 2))  # half way
    assert learning_rate(1000, cosine) == pytest.approx(0.005)
    rates = [learning_rate(step, cosine) for step in range(100, 1001)]
    assert rates == sorted(rates, reverse=True)
    halved = config(steps=1000, warmup=1, lr=0.8, schedule="milestones")
    found = [learning_rate(step, halved) for step in (1, 490, 510, 740, 760, 890, 910, 999)]
    assert found == pytest.approx([0.8, 0.8, 0.4, 0.4, 0.2, 0.2, 0.1, 0.1])
    assert learning_rate(0, config(warmup=0, lr=0.5)) == 0.5


def test_the_rate_by_the_clock() -> None:
    timed = config(minutes=5.0, warmup=9, lr=0.5)
    assert learning_rate(9, timed, 0.0) == learning_rate(1000, timed, 0.0) == 0.5
    assert learning_rate(1000, timed, 0.5) == pytest.approx(0.5 * (0.01 + 0.99 / 2))
    assert learning_rate(1000, timed, 1.0) == pytest.approx(0.005)


def test_a_run_by_the_clock_ends_validated(faces: Path, tmp_path: Path) -> None:
    timed = config(minutes=0.03, steps=3, validate_every=10**9, warmup=0)
    outcome = run(tmp_path / "run", faces, timed)
    assert outcome.step > 1
    assert outcome.weights.name == "best.safetensors"
    again = run(tmp_path / "run", faces, timed)  # its minutes are over
    assert again.step == outcome.step


def test_averaged_weights() -> None:
    network = torch.nn.BatchNorm1d(1)  # parameters, float buffers, and a whole number
    average = EMA(network, decay=0.9)
    expected = network.weight.detach().clone()
    for step in range(200):
        with torch.no_grad():
            network.weight.fill_(float(step))
        network.num_batches_tracked.fill_(step)
        average.update(network, step)
        decay = min(0.9, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * step
    torch.testing.assert_close(average.weights["weight"], expected)
    assert average.weights["num_batches_tracked"] == 199
    assert average.weights["weight"].item() == pytest.approx(199 - 9, abs=1e-3)  # lags by decay / (1 - decay)


def marked(box: tuple[int, int, int, int], side: int = 12) -> tuple[torch.Tensor, torch.Tensor]:
    """A black picture, white inside the box, and the box."""
    picture = torch.zeros(1, 3, side, side)
    x1, y1, x2, y2 = box
    picture[..., y1:y2, x1:x2] = 1.0
    return picture, torch.tensor([box], dtype=torch.float32)


def bounds(picture: torch.Tensor) -> list[int]:
    rows, columns = (picture[0].amax(dim=axes).nonzero().flatten() for axes in ((0, 2), (0, 1)))
    return [int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1]


@pytest.mark.parametrize("quarters", range(4))
@pytest.mark.parametrize("mirrored", [False, True])
def test_boxes_turn_with_their_pictures(quarters: int, mirrored: bool) -> None:
    start, box = marked((1, 2, 6, 10))
    picture, box = turn(*mirror(start, box, torch.tensor([mirrored])), quarters)
    assert torch.equal(picture, (start.flip(-1) if mirrored else start).rot90(quarters, (-2, -1)))
    assert box[0].tolist() == bounds(picture)


def test_mirror_takes_only_those_that_are_named() -> None:
    picture, box = marked((1, 2, 6, 10))
    both, boxes = mirror(picture.repeat(2, 1, 1, 1), box.repeat(2, 1), torch.tensor([True, False]))
    assert torch.equal(both[1:], picture)
    assert torch.equal(both[:1], picture.flip(-1))
    assert boxes.tolist() == [[6, 2, 11, 10], [1, 2, 6, 10]]


@pytest.fixture(scope="module")
def face_set() -> FaceSet:
    generator = torch.Generator().manual_seed(0)
    shelves = {
        side: torch.randint(0, 256, (count, 3, side, side), dtype=torch.uint8, generator=generator)
        for side, count in ((64, 20), (96, 10))
    }
    return FaceSet(shelves, {side: torch.rand(len(shelf), 4) for side, shelf in shelves.items()})


def test_the_draw_is_a_function_of_seed_and_step(face_set: FaceSet) -> None:
    settings = config()
    one, two = Draw(face_set, settings, 4), Draw(face_set, settings, 4)
    for step in (7, 0, 7):
        ours, theirs = one(step), two(step)
        assert torch.equal(ours[0], theirs[0])
        assert torch.equal(ours[1], theirs[1])
        assert torch.rand(3, generator=ours[2]).equal(torch.rand(3, generator=theirs[2]))
    assert not torch.equal(one(0)[0][:1, :, :64, :64], one(1)[0][:1, :, :64, :64])
    other = Draw(face_set, config(seed=1), 4)
    drawn = [(one(step)[0], other(step)[0]) for step in range(4)]
    assert any(ours.shape != theirs.shape or not torch.equal(ours, theirs) for ours, theirs in drawn)


def test_sizes_come_and_go(face_set: FaceSet) -> None:
    sizes = [{"side": 16, "weight": 0.9, "end": 0.5}, {"side": 24, "weight": 0.1, "start": 0.5}]
    draw = Draw(face_set, config(sizes=sizes), 4)
    assert {draw(step, 0.49)[0].shape[-1] for step in range(5)} == {64}
    assert {draw(step, 0.5)[0].shape[-1] for step in range(5)} == {96}
    with pytest.raises(ValueError, match="none is drawn when 50% of the run are over"):
        config(sizes=[{"side": 16, "weight": 1.0, "end": 0.5}])


def test_processes_share_one_draw(face_set: FaceSet) -> None:
    settings = config(batch=8)
    alone = Draw(face_set, settings, 4)
    ranks = [Draw(face_set, settings, 4, rank, world=2) for rank in range(2)]
    for step in range(6):
        pictures, boxes, _ = alone(step)
        parts = [rank(step) for rank in ranks]
        for number, (theirs, their_boxes, _) in enumerate(parts):
            assert torch.equal(theirs, pictures[number::2][: len(theirs)])
            assert torch.equal(their_boxes, boxes[number::2][: len(theirs)])
        assert len(parts[0][0]) == len(parts[1][0])
        noise = [torch.rand(1, generator=generator) for _, _, generator in parts]
        assert noise[0] != noise[1]  # each darkens its own share with numbers of its own


def test_batches_keep_the_number_of_pixels(face_set: FaceSet) -> None:
    sizes = [SizeSchedule(side=16, weight=1.0), SizeSchedule(side=24, weight=1.0)]
    draw = Draw(face_set, config(batch=9, sizes=sizes), 4)
    shapes = {tuple(draw(step)[0].shape) for step in range(20)}
    assert shapes == {(9, 3, 64, 64), (4, 3, 96, 96)}  # 9 x 16² = 4 x 24²; the large ones from large faces


def test_less_is_taken_of_what_is_around_a_face(face_set: FaceSet) -> None:
    whole, boxes = face_set.batch([25, 3], 64)  # of 96 and of 64 pixels
    inner, moved = face_set.batch([25, 3], 64, share=0.75)
    assert torch.equal(inner[1], whole[1])  # nothing is enlarged
    assert torch.equal(moved[1], boxes[1])
    middle = face_set.shelves[96][5][None, :, 12:84, 12:84].float() / 255
    torch.testing.assert_close(inner[:1], resize(middle, (64, 64)).clamp(0, 1))
    expected = ((face_set.boxes[96][5] * 96 - 12) * 64 / 72).clamp(0, 64)
    torch.testing.assert_close(moved[0], expected)
    large = FaceSet({96: face_set.shelves[96]}, face_set.boxes)
    small = {"sizes": [{"side": 16, "weight": 1.0}]}
    spread = {
        zoom: [float(Draw(large, config(min_crop=zoom, **small), 4)(step)[0].std()) for step in range(12)]
        for zoom in (1.0, 0.5)
    }
    assert max(spread[1.0]) < 1.05 * min(spread[1.0])
    assert max(spread[0.5]) > 1.3 * max(spread[1.0])  # what is less reduced keeps more of its noise


def test_faces_are_read_with_their_boxes(faces: Path) -> None:
    said: list[str] = []
    loaded = load_faces([faces], tell=said.append)
    assert len(loaded) == 8
    assert (loaded.count(64), loaded.count(65), loaded.count(97)) == (8, 2, 0)
    assert said[0].endswith("no face found in 0 (their centre is taken)")
    pictures, boxes = loaded.batch([0, 7], 48)
    assert pictures.shape == (2, 3, 48, 48)
    assert pictures.min() >= 0
    assert pictures.max() <= 1
    assert ((boxes[:, 2] - boxes[:, 0]) > 10).all()
    assert (boxes <= 48).all()
    again = load_faces([faces], tell=said.append)  # the boxes come from the cache now
    assert all(torch.equal(again.boxes[side], loaded.boxes[side]) for side in (64, 96))


# --- files --------------------------------------------------------------------------------------------------


def test_a_state_comes_back_as_it_was(tmp_path: Path) -> None:
    network = torch.nn.Linear(3, 2)
    optimizer = torch.optim.Adam(network.parameters(), betas=(0.8, 0.99))
    network(torch.rand(4, 3)).sum().backward()
    optimizer.step()
    parts = {
        "network": network.state_dict(),
        "optimizer": optimizer.state_dict(),
        "recipe": {"random": torch.Generator().get_state(), "count": 3, "name": None},
    }
    path = tmp_path / "deep" / "state.safetensors"
    save_state(path, parts, {"step": 12, "best_psnr_y": -float("inf")})
    loaded, facts = load_state(path)
    assert facts == {"step": 12, "best_psnr_y": -float("inf")}
    assert loaded["recipe"]["count"] == 3
    assert loaded["recipe"]["name"] is None
    assert torch.equal(loaded["recipe"]["random"], parts["recipe"]["random"])
    assert set(loaded["optimizer"]["state"]) == {0, 1}  # whole numbers, not text
    other = torch.optim.Adam(torch.nn.Linear(3, 2).parameters())
    other.load_state_dict(loaded["optimizer"])
    assert tuple(other.param_groups[0]["betas"]) == (0.8, 0.99)
    for index, state in optimizer.state_dict()["state"].items():
        for key, value in state.items():
            assert torch.equal(other.state_dict()["state"][index][key], value)
    assert [file.name for file in path.parent.iterdir()] == ["state.safetensors"]  # no half file beside it


def test_a_damaged_state_is_one_line(tmp_path: Path, faces: Path) -> None:
    path = tmp_path / "state.safetensors"
    save_state(path, {"network": {"weight": torch.rand(100)}}, {"step": 1})
    whole = path.read_bytes()
    for size in (0, 5, 100, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(InputError, match="not a training state") as caught:
            load_state(path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="not a training state"):
        run(tmp_path, faces)


def test_configurations(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(config().model_dump_json())  # JSON is YAML
    assert read_config(path) == config()
    assert read_config(path, {"steps": 77, "lr": None}).steps == 77
    assert find_config(path) == path
    for name in ("lfsrnet-lite", "lfsrnet-base", "srcnn"):
        assert read_config(find_config(name)).name == name
    assert set(shipped_configs()) >= {"lfsrnet-lite", "lfsrnet-base", "srcnn"}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: [1", "not valid YAML"),
        ("- a", "expected settings"),
        ("", "expected settings"),
        ("name: x", "Field required"),
        (config().model_dump_json()[:-1] + ', "speed": 1}', "speed"),
        (config().model_dump_json().replace('"warmup":2', '"warmup":999'), "do not fit"),
        (config().model_dump_json().replace('"clip":1.0', '"clip":-1'), "clip"),
    ],
)
def test_mistakes_in_a_configuration_are_one_line(tmp_path: Path, text: str, line: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises((InputError, SettingError), match=line) as caught:
        read_config(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="no such configuration"):
        find_config(tmp_path / "gone.yaml")


def test_a_configuration_may_stand_on_another(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text("base: srcnn\nname: own\nnetwork:\n  scale: 2\n")
    own, base = read_config(tmp_path / "own.yaml"), read_config(find_config("srcnn"))
    changed = {"name": "own", "network": base.model_dump()["network"] | {"scale": 2}}
    assert own.model_dump() == base.model_dump() | changed
    (tmp_path / "self.yaml").write_text(f"base: {tmp_path / 'self.yaml'}\n")
    with pytest.raises(InputError, match="it is its own base"):
        read_config(tmp_path / "self.yaml")
    (tmp_path / "lost.yaml").write_text("base: gone\n")
    with pytest.raises(InputError, match="no such configuration"):
        read_config(tmp_path / "lost.yaml")


def test_configurations_may_not_stand_on_one_another_in_a_ring(tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text(f"base: {tmp_path / 'two.yaml'}\n")
    (tmp_path / "two.yaml").write_text(f"base: {tmp_path / 'one.yaml'}\n")
    with pytest.raises(InputError, match=r"one\.yaml: it is its own base"):
        read_config(tmp_path / "one.yaml")
