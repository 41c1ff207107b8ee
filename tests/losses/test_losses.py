from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from lumiface.core.errors import SettingError
from lumiface.losses import (
    CharbonnierLoss,
    FaceMaskLoss,
    FFTLoss,
    L1Loss,
    LogMSELoss,
    MaskMode,
    MaskNorm,
    MSELoss,
    block_mask,
    charbonnier_loss,
    face_mask_loss,
    fft_loss,
    l1_loss,
    log_mse_loss,
    mse_loss,
    pixel_mask,
)
from lumiface.registry import build_recipe

BOXES = torch.tensor([[5.0, 9.0, 45.0, 57.0], [0.0, 0.0, 64.0, 64.0], [-7.0, 20.0, 30.0, 90.0]])
SIZE = (64, 64)


def pair(*shape: int, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(3)
    output = torch.rand(*shape, generator=generator, dtype=dtype)
    return output.requires_grad_(dtype == torch.float64), torch.rand(*shape, generator=generator, dtype=dtype)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def box_pixels(boxes: Tensor = BOXES) -> Tensor:
    """The boxes written out by slicing, for integer corners."""
    mask = torch.zeros(len(boxes), 1, *SIZE, dtype=torch.bool)
    for index, (x1, y1, x2, y2) in enumerate(boxes.int().tolist()):
        mask[index, :, max(y1, 0) : y2, max(x1, 0) : x2] = True
    return mask


# pixel ------------------------------------------------------------------------------------------------


def test_pixel_losses_have_their_known_values() -> None:
    output, target = torch.full((2, 3, 4, 5), 0.75), torch.full((2, 3, 4, 5), 0.25)
    assert l1_loss(output, target).item() == pytest.approx(0.5)
    assert mse_loss(output, target).item() == pytest.approx(0.25)
    assert L1Loss()(output, target) == l1_loss(output, target)
    assert MSELoss()(output, target) == mse_loss(output, target)
    assert charbonnier_loss(output, target, 1.2).item() == pytest.approx(1.3)  # 5, 12, 13
    assert charbonnier_loss(output, output).item() == pytest.approx(1e-3)
    assert CharbonnierLoss(1.2)(output, target) == charbonnier_loss(output, target, 1.2)
    # The mean over images of the logarithm, which is not the logarithm of the mean.
    far, near = torch.tensor([0.2, 0.02]).view(2, 1, 1, 1).expand(2, 3, 4, 5), torch.zeros(2, 3, 4, 5)
    assert log_mse_loss(far, near).item() == pytest.approx(0.5 * (math.log(0.04) + math.log(4e-4)), abs=0.01)
    assert LogMSELoss()(output, target) == log_mse_loss(output, target)
    assert log_mse_loss(output, output).isfinite()


@pytest.mark.parametrize("loss", [l1_loss, charbonnier_loss, mse_loss, log_mse_loss, fft_loss])
def test_losses_refuse_to_broadcast(loss) -> None:
    with pytest.raises(ValueError, match="same size"):
        loss(torch.rand(2, 3, 8, 8), torch.rand(1, 3, 8, 8))


@pytest.mark.parametrize("loss", [l1_loss, charbonnier_loss, mse_loss, log_mse_loss, fft_loss])
def test_gradients(loss) -> None:
    assert torch.autograd.gradcheck(loss, pair(1, 3, 5, 4))


@pytest.mark.parametrize("method", ["lfsrnet", "lumiface-x4"])
def test_log_mse_is_an_optional_term_of_the_recipe(method: str) -> None:
    output, target = pair(2, 3, 32, 32, dtype=torch.float32)
    boxes = torch.tensor([[4.0, 4.0, 28.0, 28.0]]).repeat(2, 1)
    default, extended = (build_recipe(method, recipe, 0) for recipe in ({}, {"log_mse": 0.05}))
    terms, more_terms = (recipe(output, target, target, boxes) for recipe in (default, extended))
    assert set(more_terms) - set(terms) == {"log_mse"}
    assert more_terms["log_mse"] == 0.05 * log_mse_loss(output, target)


# fft --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("height", "width"), [(8, 8), (7, 9), (8, 5), (1, 1), (3, 2), (16, 1)])
def test_fft_loss_equals_the_full_transform(height: int, width: int) -> None:
    output, target = pair(2, 3, height, width)
    full = (torch.fft.fft2(output, norm="ortho") - torch.fft.fft2(target, norm="ortho")).abs().mean()
    torch.testing.assert_close(fft_loss(output, target), full)
    torch.testing.assert_close(FFTLoss()(output, target), full)


def test_fft_loss_of_a_constant_and_of_one_pixel() -> None:
    # A constant c lies in one frequency of modulus c * sqrt(HW); one pixel spreads evenly over all.
    zero = torch.zeros(1, 3, 16, 16)
    assert fft_loss(zero + 0.5, zero).item() == pytest.approx(0.5 * 16 / 256)
    dot = zero.clone()
    dot[..., 3, 7] = 1.0
    assert fft_loss(dot, zero).item() == pytest.approx(1 / 16)


def test_fft_loss_accepts_bfloat16_and_equal_images() -> None:
    image = torch.rand(1, 3, 8, 8, dtype=torch.bfloat16, requires_grad=True)
    loss = fft_loss(image, image.detach().clone())
    loss.backward()
    assert loss.item() == 0
    assert image.grad is not None
    assert torch.isfinite(image.grad).all()


# face mask --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sample", [block_mask, pixel_mask])
def test_ratios_of_0_and_1(sample) -> None:
    assert not sample(BOXES, SIZE, 0.0, seeded()).any()
    assert torch.equal(sample(BOXES, SIZE, 1.0, seeded()), box_pixels())


@pytest.mark.parametrize("sample", [block_mask, pixel_mask])
@pytest.mark.parametrize("ratio", [0.02, 0.25, 0.5, 0.9])
def test_the_expected_fraction_is_the_ratio_everywhere_in_the_box(sample, ratio: float) -> None:
    count = 3000
    boxes = torch.tensor([[3.0, 2.0, 27.0, 22.0]]).expand(count, 4)
    fraction = sample(boxes, (24, 30), ratio, seeded(1)).float().mean(dim=0)[0, 2:22, 3:27]
    assert fraction.mean().item() == pytest.approx(ratio, abs=0.012)
    # Uniform over the box, border included: within five standard deviations.
    assert (fraction - ratio).abs().max() < 5 * (ratio * (1 - ratio) / count) ** 0.5


@given(
    corners=st.tuples(*[st.floats(-20, 80)] * 4),
    ratio=st.floats(0, 1),
    side=st.floats(0.05, 1.5),
    seed=st.integers(0, 2**31),
)
@settings(max_examples=60, deadline=None)
def test_masks_stay_in_the_box(corners, ratio: float, side: float, seed: int) -> None:
    boxes = torch.tensor([corners])
    whole = block_mask(boxes, SIZE, 1.0, seeded())
    for mask in (
        block_mask(boxes, SIZE, ratio, seeded(seed), side),
        pixel_mask(boxes, SIZE, ratio, seeded(seed)),
    ):
        assert mask.shape == (1, 1, *SIZE)
        assert not (mask & ~whole).any()


def test_blocks_are_blocks() -> None:
    # A ratio below one block's fraction leaves at most one rectangle, of a quarter of the box's sides.
    masks = block_mask(BOXES[1:2].expand(400, 4), SIZE, 0.03, seeded(5))
    sizes = set()
    for mask in masks[:, 0]:
        rows, columns = mask.any(dim=1).sum().item(), mask.any(dim=0).sum().item()
        assert mask.sum().item() == rows * columns
        sizes.add((rows, columns))
    assert (16, 16) in sizes
    assert max(max(size) for size in sizes) <= 16


def test_the_loss_is_the_mean_over_the_whole_image() -> None:
    target = torch.zeros(3, 3, *SIZE)
    loss = FaceMaskLoss(ratio=1.0)(target + 0.5, target, BOXES)
    assert loss.item() == pytest.approx(0.5 * box_pixels().float().mean().item())
    assert FaceMaskLoss(ratio=0.0)(target + 0.5, target, BOXES).item() == 0


@pytest.mark.parametrize(
    ("norm", "expected"), [("picture", 0.5 * 24 / 80), ("mask", 0.5), ("sum", 0.5 * 3 * 12)]
)
def test_norms_of_the_face_mask_loss(norm: MaskNorm, expected: float) -> None:
    target, mask = torch.zeros(2, 3, 8, 5), torch.zeros(2, 1, 8, 5, dtype=torch.bool)
    mask[:, :, 2:5, :4] = True  # 12 of 40 pixels
    assert face_mask_loss(target + 0.5, target, mask, norm).item() == pytest.approx(expected)
    assert face_mask_loss(target + 0.5, target, torch.zeros_like(mask), norm).item() == 0.0


@pytest.mark.parametrize("norm", ["picture", "mask", "sum"])
@pytest.mark.parametrize("mode", ["block", "pixel"])
def test_gradients_of_the_face_mask_loss(mode: MaskMode, norm: MaskNorm) -> None:
    output, target = pair(1, 3, 7, 6)
    mask = FaceMaskLoss(mode=mode, seed=2).sample_mask(torch.tensor([[1.0, 1.0, 6.0, 7.0]]), (7, 6))
    assert mask.any()
    assert torch.autograd.gradcheck(lambda image: face_mask_loss(image, target, mask, norm), output)


@pytest.mark.parametrize("mode", ["block", "pixel"])
def test_seed_and_resume_give_the_same_masks(mode: MaskMode) -> None:
    first, second, other = (FaceMaskLoss(mode=mode, seed=seed) for seed in (7, 7, 8))
    assert torch.equal(first.sample_mask(BOXES, SIZE), second.sample_mask(BOXES, SIZE))
    assert not torch.equal(first.sample_mask(BOXES, SIZE), other.sample_mask(BOXES, SIZE))
    state = first.state_dict()
    expected = [first.sample_mask(BOXES, SIZE) for _ in range(3)]
    resumed = FaceMaskLoss(mode=mode, seed=99)
    resumed.load_state_dict(state)
    for mask in expected:
        assert torch.equal(resumed.sample_mask(BOXES, SIZE), mask)


def test_sampling_masks_does_not_use_the_global_generator() -> None:
    before = torch.random.get_rng_state()
    FaceMaskLoss()(*pair(3, 3, *SIZE), BOXES)
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize(
    "settings_", [{"ratio": 1.5}, {"ratio": -0.1}, {"mode": "disc"}, {"block_side": 0.0}]
)
def test_bad_settings_are_refused(settings_) -> None:
    with pytest.raises(SettingError, match="must"):
        FaceMaskLoss(**settings_)


def test_bad_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="boxes"):
        block_mask(torch.zeros(4), SIZE, 0.5, seeded())
    with pytest.raises(ValueError, match="mask"):
        face_mask_loss(torch.zeros(1, 3, 4, 4), torch.zeros(1, 3, 4, 4), torch.zeros(1, 3, 4, 4))
