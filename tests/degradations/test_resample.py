from __future__ import annotations

import hashlib

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from lumiface.core.errors import InputError
from lumiface.degradations.resample import (
    ONE,
    resampling_weights,
    resize,
    resize_exact,
    round_to_8_bit,
    to_grid,
)

SIZES = [(128, 128), (300, 200), (512, 128), (64, 64), (700, 900)]
LENGTHS = st.integers(1, 70)


@pytest.mark.parametrize("size", SIZES)
def test_interior_agrees_with_torch(astronaut_uint8, size):
    actual = resize_exact(to_grid(astronaut_uint8), size) / ONE
    picture = torch.from_numpy(astronaut_uint8.copy()).permute(2, 0, 1)[None].double() / 255
    expected = F.interpolate(picture, size=size, mode="bicubic", antialias=True)[0].permute(1, 2, 0).numpy()
    assert (
        np.abs(actual - expected)[16:-16, 16:-16].max() < 2e-6
    )  # the border differs: torch cuts the kernel off


@pytest.mark.parametrize("size", SIZES)
def test_torch_twin_agrees_everywhere(astronaut, astronaut_uint8, size):
    exact = resize_exact(to_grid(astronaut_uint8), size) / ONE
    twin = resize(astronaut, size)[0].permute(1, 2, 0).numpy()
    assert np.abs(exact - twin).max() < 4e-6


def test_border_is_mirrored_as_in_matlab():
    # Shrinking by 2 with a = -1/2: taps at distances ±1/4, ±3/4, ±5/4, ±7/4 on the new grid.
    ramp = np.arange(8, dtype=np.int64)[:, None] * 1000
    weights = np.array([-3, -9, 29, 111, 111, 29, -9, -3]) / 256
    mirrored = np.concatenate((ramp[2::-1], ramp, ramp[:-4:-1]))[:, 0]
    expected = [(weights * mirrored[start : start + 8]).sum() for start in (0, 2, 4, 6)]
    np.testing.assert_allclose(resize_exact(ramp, (4, 1))[:, 0], expected, atol=0.51)


def test_known_bytes(astronaut_uint8):
    # Any machine, any NumPy: these are the bytes.
    small = round_to_8_bit(resize_exact(to_grid(astronaut_uint8), (96, 75)))
    assert (
        hashlib.sha256(small.tobytes()).hexdigest()
        == "6788794c79756868b922721e0d320b82c8577a98b00b2951288854ca4daf6c0f"
    )


@given(LENGTHS, LENGTHS)
def test_weights_sum_to_exactly_one(length, new_length):
    indices, weights = resampling_weights(length, new_length)
    assert (weights.sum(axis=1) == 1 << 24).all()
    assert indices.min() >= 0
    assert indices.max() < length


@given(LENGTHS, LENGTHS, LENGTHS, LENGTHS, st.integers(0, ONE))
def test_a_flat_picture_stays_flat(height, width, new_height, new_width, value):
    flat = np.full((height, width, 3), value, dtype=np.int64)
    assert (resize_exact(flat, (new_height, new_width)) == value).all()


@given(st.integers(0, 2**32 - 1), LENGTHS, LENGTHS)
def test_mirror_image_in_mirror_image_out(seed, length, new_length):
    picture = np.random.default_rng(seed).integers(0, ONE, (length, 2))
    there = resize_exact(picture, (new_length, 2))
    back = resize_exact(picture[::-1], (new_length, 2))[::-1]
    assert np.abs(there - back).max() <= 1  # the rest of the quantised weights goes to one of two equal taps


def test_same_size_is_the_identity_and_8_bits_survive_the_grid():
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    assert (round_to_8_bit(to_grid(levels)) == levels).all()
    assert (resize_exact(to_grid(levels), (16, 16)) == to_grid(levels)).all()


def test_rounding_is_half_up_and_clips():
    half = -(-ONE // 510)  # the first grid point at or above 0.5/255
    assert round_to_8_bit(np.array([-5, half - 1, half, ONE, ONE + 9])).tolist() == [0, 0, 1, 255, 255]


def test_gradients_flow():
    picture = torch.rand(1, 1, 6, 8, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: resize(x, (3, 4)), (picture,))


@pytest.mark.parametrize("picture", [np.zeros((4, 4)), np.zeros((2, 2, 2, 2), int)], ids=["float", "4-D"])
def test_refuses_what_is_not_an_integer_picture(picture):
    with pytest.raises(InputError, match="integer picture"):
        resize_exact(picture, (2, 2))


def test_refuses_an_empty_side():
    with pytest.raises(InputError, match="every side"):
        resize_exact(np.zeros((4, 4), int), (0, 2))
