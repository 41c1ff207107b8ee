"""Noise of dark photographs, suppressed before brightening amplifies it."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from lumiface.imaging.color import luma
from lumiface.imaging.filters import guided_filter, window_sums
from lumiface.imaging.noise_level import LIGHT_RADIUS, ROUNDING_NOISE, NoiseByLight, local_light, noise_level
from lumiface.imaging.strips import Tile, tiles
from lumiface.imaging.threads import in_threads

LEAST_LIGHT = 1.5 / 255.0
"""Lower bound of the values that gains are computed from: an 8-bit picture carries no information below."""

SHADOWS = (0.15, 0.30)
"""Denoising is full below the first luma, where brightening makes noise visible, and off above the second."""

REDUCE_REACH = 6
"""`reduce_noise` makes a pixel from pixels up to this far away."""

LARGE = 4_000_000
"""Pixels from which a picture has finer noise, which needs a smaller search window."""

TILE = (128, 512)
"""Rows and columns of a tile: its planes stay in the cache of a core."""


def denoise_shadows(rgb: Tensor, out: Tensor | None = None) -> Tensor:
    """Non-local means (Buades, Coll and Morel 2005) in the dark parts of a noisy picture.

    Each pixel becomes the weighted mean of the pixels around it; weights fall with the difference of their
    3 x 3 neighbourhoods beyond the estimated noise. A picture whose noise does not exceed its rounding noise,
    or without dark parts, is returned unchanged. Memory beyond the result is that of a tile.

    Args:
        rgb: (1, 3, H, W) in [0, 1]; what can be read by parts is enough (`eight_bits.EightBits`).
        out: holds the same picture, and takes the result; not `rgb` itself.
    """
    height, width = rgb.shape[-2:]
    noise = NoiseByLight(rgb, SHADOWS[1])
    if float(noise.levels.max()) < 1.5 * ROUNDING_NOISE:
        return rgb if out is None else out
    # A search window of 7 x 7 pixels; of 5 x 5 in large pictures, whose noise is finer.
    radius = 3 if height * width < LARGE else 2
    quiet = torch.empty_like(rgb) if out is None else out

    def write(tile: Tile) -> None:
        tile.place(quiet).copy_(_denoise_tile(rgb, tile, noise, radius))

    in_threads(write, tiles(height, width, TILE, max(radius + 1, LIGHT_RADIUS)), quiet.device)
    return quiet


def _denoise_tile(rgb: Tensor, tile: Tile, noise: NoiseByLight, radius: int) -> Tensor:
    """(1, 3, h, w), the tile without its halo."""
    low, high = SHADOWS
    own = tile.place(rgb)
    light = tile.inner(local_light(tile.read(rgb))).contiguous()
    amount = ((high - light) / (high - low)).clamp(0.0, 1.0)
    if float(amount.max()) == 0.0:
        return own
    return torch.lerp(own, _nonlocal_mean(rgb, tile, noise(light), radius), amount)


def _nonlocal_mean(rgb: Tensor, tile: Tile, sigma: Tensor, radius: int) -> Tensor:
    """The tile's weighted means; `sigma`: (1, 1, h, w).

    The rows of the tile lie one behind the other in memory, with their surroundings, so that every pixel of
    the search window is a shift of all values. The differences to it count for both pixels of each pair.
    """
    height, width = sigma.shape[-2:]
    padded, wide = _padded(rgb, tile, radius + 1), width + 2 * radius + 2
    first, count = (radius + 1) * (wide + 1), (height - 1) * wide + width
    around = count + 2 * (wide + 1)  # the tile's pixels and those of their 3 x 3 neighbourhoods
    # Two noisy copies of one colour differ by 2σ² on average; only the excess counts.
    scale = -1.0 / (3.0 * _pixels_inside(tile, sigma) * sigma.square())
    scale = F.pad(scale, (0, wide - width)).flatten()[:count]
    total = padded[:, first : first + count].clone()
    weights, two = torch.ones_like(scale), torch.full_like(scale, 2.0)
    for shift in (y * wide + x for y in range(radius + 1) for x in range(-radius, radius + 1)):
        if shift <= 0:
            continue
        begin, length = first - wide - 1 - shift, around + shift
        change = padded[:, begin : begin + length] - padded[:, begin + shift : begin + shift + length]
        square = change[0].square().addcmul_(change[1], change[1]).addcmul_(change[2], change[2])
        for move, part in ((shift, square[shift:]), (-shift, square[:around])):
            sums = window_sums(window_sums(_inside(part, tile, wide), 3, wide), 3, 1)
            weight = torch.addcmul(two, sums, scale).clamp_(max=0.0).exp_()
            total.addcmul_(weight, padded[:, first + move : first + move + count])
            weights.add_(weight)
    return (total / weights).as_strided((1, 3, height, width), (count, count, wide, 1))


def _padded(rgb: Tensor, tile: Tile, halo: int) -> Tensor:
    """(3, n): the tile with its halo, beyond the border the nearest pixel, the rows one behind the other."""
    (top, left), (bottom, right) = tile.shrink(halo).origin, tile.shrink(halo).end
    missing = (
        left - tile.left + halo,
        tile.right + halo - right,
        top - tile.top + halo,
        tile.bottom + halo - bottom,
    )
    return F.pad(rgb[..., top:bottom, left:right], missing, mode="replicate")[0].flatten(1)


def _inside(around: Tensor, tile: Tile, wide: int) -> Tensor:
    """Values of the tile's pixels and one around them, 0 outside of the picture."""
    if tile.top > 0 and tile.left > 0 and tile.bottom < tile.height and tile.right < tile.width:
        return around
    around = around.clone()
    if tile.top == 0:
        around[:wide] = 0.0
    if tile.left == 0:
        around[::wide] = 0.0
    if tile.bottom == tile.height:
        around[(tile.bottom - tile.top + 1) * wide :] = 0.0
    if tile.right == tile.width:
        around[tile.right - tile.left + 1 :: wide] = 0.0
    return around


def _pixels_inside(tile: Tile, like: Tensor) -> Tensor:
    """(1, 1, h, w): how many pixels of each 3 x 3 window lie inside of the picture."""
    count = torch.full_like(like, 9.0)
    if tile.top == 0:
        count[..., 0, :] *= 2.0 / 3.0
    if tile.left == 0:
        count[..., 0] *= 2.0 / 3.0
    if tile.bottom == tile.height:
        count[..., -1, :] *= 2.0 / 3.0
    if tile.right == tile.width:
        count[..., -1] *= 2.0 / 3.0
    return count


def reduce_noise(rgb: Tensor, gain: Tensor, sigma: float | None = None) -> Tensor:
    """Smooth noise that the gain would make visible; in flat parts only, chroma more than luma.

    Args:
        rgb: (1, 3, H, W) in [0, 1].
        gain: (1, 1, H, W), the factor to be applied; where it is about 1 nothing is smoothed.
        sigma: the noise of the picture's luma; None: that of `rgb`.
    """
    light = luma(rgb)
    sigma = noise_level(light) if sigma is None else sigma
    smooth_light = guided_filter(light, light, radius=2, epsilon=(2.5 * sigma) ** 2)
    # Chroma guides itself: two colours of equal luma must not blend into each other.
    chroma = rgb - light
    chroma = guided_filter(chroma, chroma, radius=3, epsilon=(3.0 * sigma) ** 2)
    return torch.lerp(rgb, chroma.add_(smooth_light), gain_mask(gain))


def desaturate_blacks(bright: Tensor, before: Tensor, gain: Tensor) -> Tensor:
    """Desaturate pixels that were nearly black, where the rounding to 8 bits alone makes coloured spots.

    Args:
        bright: (1, 3, H, W) after the gain. before: (1, 1, H, W), the smoothed luma before it, in [0, 1].
        gain: (1, 1, H, W), the factor that was applied; where it is about 1 colours are kept.
    """
    saturation = ((before - LEAST_LIGHT) / (10.0 / 255.0)).clamp(0.0, 1.0)
    grey = luma(bright)
    return torch.lerp(bright, grey + (bright - grey) * saturation, gain_mask(gain))


def gain_mask(gain: Tensor) -> Tensor:
    """0 up to a gain of 1.2, where noise stays invisible, rising to 1 at 2.5, where it is visible."""
    return ((gain - 1.2) / 1.3).clamp(0.0, 1.0)
