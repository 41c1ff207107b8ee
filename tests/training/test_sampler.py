"""Batches of faces for training on pairs: sizes, crops, flips and rotations, and the faces themselves."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from example_runs import paired_config
from lumiface.core.errors import InputError
from lumiface.data.training.face_set import FaceSet, load_faces
from lumiface.degradations.resample import resize
from lumiface.training.config import SizeSchedule
from lumiface.training.sampler import BatchSampler, hflip, rot90


def image_with_box(box: tuple[int, int, int, int], side: int = 12) -> tuple[Tensor, Tensor]:
    """A black image, white inside the box, and the box."""
    image = torch.zeros(1, 3, side, side)
    x1, y1, x2, y2 = box
    image[..., y1:y2, x1:x2] = 1.0
    return image, torch.tensor([box], dtype=torch.float32)


def bounds(image: Tensor) -> list[int]:
    """Of what is white, x1, y1, x2, y2."""
    rows, columns = (image[0].amax(dim=axes).nonzero().flatten() for axes in ((0, 2), (0, 1)))
    return [int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1]


@pytest.mark.parametrize("quarters", range(4))
@pytest.mark.parametrize("flipped", [False, True])
def test_boxes_follow_flips_and_rotations(quarters: int, flipped: bool) -> None:
    original, box = image_with_box((1, 2, 6, 10))
    image, box = rot90(*hflip(original, box, torch.tensor([flipped])), quarters)
    assert torch.equal(image, (original.flip(-1) if flipped else original).rot90(quarters, (-2, -1)))
    assert box[0].tolist() == bounds(image)


def test_only_the_selected_images_are_flipped() -> None:
    image, box = image_with_box((1, 2, 6, 10))
    both, boxes = hflip(image.repeat(2, 1, 1, 1), box.repeat(2, 1), torch.tensor([True, False]))
    assert torch.equal(both[1:], image)
    assert torch.equal(both[:1], image.flip(-1))
    assert boxes.tolist() == [[6, 2, 11, 10], [1, 2, 6, 10]]


@pytest.fixture(scope="module")
def images_by_size() -> dict[int, Tensor]:
    """Noise: size in pixels -> (N, 3, size, size) uint8."""
    generator = torch.Generator().manual_seed(0)
    return {
        side: torch.randint(0, 256, (count, 3, side, side), dtype=torch.uint8, generator=generator)
        for side, count in ((64, 20), (96, 10))
    }


@pytest.fixture(scope="module")
def face_set(images_by_size: dict[int, Tensor]) -> FaceSet:
    return FaceSet(
        images_by_size, {side: torch.rand(len(images), 4) for side, images in images_by_size.items()}
    )


def test_a_batch_is_a_function_of_seed_and_step(face_set: FaceSet) -> None:
    one, two = (BatchSampler(face_set, paired_config(), 4) for _ in range(2))
    for step in (7, 0, 7):
        (images, boxes, generator), other = one(step), two(step)
        assert torch.equal(images, other[0])
        assert torch.equal(boxes, other[1])
        assert torch.rand(3, generator=generator).equal(torch.rand(3, generator=other[2]))
    assert not torch.equal(one(0)[0][:1, :, :64, :64], one(1)[0][:1, :, :64, :64])
    other_seed = BatchSampler(face_set, paired_config(seed=1), 4)
    pairs = [(one(step)[0], other_seed(step)[0]) for step in range(4)]
    assert any(first.shape != second.shape or not torch.equal(first, second) for first, second in pairs)


@pytest.mark.parametrize(
    ("batch", "sizes", "line"),
    [
        (31, [SizeSchedule(side=16, weight=1.0)], "30 faces of 64 pixels or more, and a step takes 31"),
        (
            30,  # as many pixels as 30 of the first size
            [SizeSchedule(side=16, weight=1.0), SizeSchedule(side=24, weight=0.1)],
            "10 faces of 96 pixels or more, and a step takes 13",
        ),
    ],
)
def test_fewer_faces_than_a_step_takes_are_refused_at_the_start(
    face_set: FaceSet, batch: int, sizes: list[SizeSchedule], line: str
) -> None:
    with pytest.raises(InputError, match=f"train: {line} different ones; name more faces, or lower `batch`"):
        BatchSampler(face_set, paired_config(batch=batch, sizes=sizes), 4)


def test_sizes_are_scheduled(face_set: FaceSet) -> None:
    sizes = [{"side": 16, "weight": 0.9, "end": 0.5}, {"side": 24, "weight": 0.1, "start": 0.5}]
    sample = BatchSampler(face_set, paired_config(sizes=sizes), 4)
    assert {sample(step, 0.49)[0].shape[-1] for step in range(5)} == {64}
    assert {sample(step, 0.5)[0].shape[-1] for step in range(5)} == {96}
    with pytest.raises(ValueError, match="sizes: none is sampled at 50% of the run"):
        paired_config(sizes=[{"side": 16, "weight": 1.0, "end": 0.5}])


def test_processes_share_one_batch(face_set: FaceSet) -> None:
    config = paired_config(batch=8)
    alone = BatchSampler(face_set, config, 4)
    ranks = [BatchSampler(face_set, config, 4, rank, world_size=2) for rank in range(2)]
    for step in range(6):
        images, boxes, _ = alone(step)
        parts = [sample(step) for sample in ranks]
        for rank, (part, part_boxes, _) in enumerate(parts):
            assert torch.equal(part, images[rank::2][: len(part)])
            assert torch.equal(part_boxes, boxes[rank::2][: len(part)])
        assert len(parts[0][0]) == len(parts[1][0])
        noise = [torch.rand(1, generator=generator) for _, _, generator in parts]
        assert noise[0] != noise[1]  # each degrades its own part with its own random numbers


def test_batches_keep_the_number_of_pixels(face_set: FaceSet) -> None:
    sizes = [SizeSchedule(side=16, weight=1.0), SizeSchedule(side=24, weight=1.0)]
    sample = BatchSampler(face_set, paired_config(batch=9, sizes=sizes), 4)
    shapes = {tuple(sample(step)[0].shape) for step in range(20)}
    assert shapes == {(9, 3, 64, 64), (4, 3, 96, 96)}  # 9 x 16² = 4 x 24²; the large ones from large faces


def test_crops_keep_the_centre(face_set: FaceSet, images_by_size: dict[int, Tensor]) -> None:
    whole, boxes = face_set.batch([25, 3], 64)  # of 96 and of 64 pixels
    cropped, cropped_boxes = face_set.batch([25, 3], 64, 0.75)
    assert torch.equal(cropped[1], whole[1])  # nothing is enlarged
    assert torch.equal(cropped_boxes[1], boxes[1])
    middle = images_by_size[96][5][None, :, 12:84, 12:84].float() / 255
    torch.testing.assert_close(cropped[:1], resize(middle, (64, 64)).clamp(0, 1))
    expected = ((face_set.boxes[96][5] * 96 - 12) * 64 / 72).clamp(0, 64)
    torch.testing.assert_close(cropped_boxes[0], expected)
    large = FaceSet({96: images_by_size[96]}, face_set.boxes)
    stds: dict[float, list[float]] = {}
    for min_crop in (1.0, 0.5):
        config = paired_config(min_crop=min_crop, sizes=[{"side": 16, "weight": 1.0}])
        stds[min_crop] = [float(BatchSampler(large, config, 4)(step)[0].std()) for step in range(12)]
    assert max(stds[1.0]) < 1.05 * min(stds[1.0])
    assert max(stds[0.5]) > 1.3 * max(stds[1.0])  # what is reduced less keeps more of its noise


def test_faces_are_loaded_with_their_boxes(paired_faces: Path) -> None:
    lines: list[str] = []
    loaded = load_faces([paired_faces], "cpu", lines.append)
    assert len(loaded) == 8
    assert (loaded.count(64), loaded.count(65), loaded.count(97)) == (8, 2, 0)
    assert lines[0].endswith("no face found in 0 (their centre is used)")
    images, boxes = loaded.batch([0, 7], 48)
    assert images.shape == (2, 3, 48, 48)
    assert images.min() >= 0
    assert images.max() <= 1
    assert ((boxes[:, 2] - boxes[:, 0]) > 10).all()
    assert (boxes <= 48).all()
    again = load_faces([paired_faces], "cpu", lines.append)  # the boxes come from the cache now
    assert all(torch.equal(again.boxes[side], loaded.boxes[side]) for side in (64, 96))
