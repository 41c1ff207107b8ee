"""Codes sought for one face (§1.2, "embedding optimisation" taken further): optional, at test time.

What the encoder tells is right for faces on average. For one face its codes can be moved until what the
generator draws, seen as coarsely as the damaged photograph shows it, is the photograph.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

Told = Callable[[int, int, float], None]
"""Step, steps in all, the best objective so far."""


class DrawsFromCodes(Protocol):
    """What a restorer is to this module; see `FusionBFR`."""

    def embed(self, picture: Tensor) -> tuple[Tensor, list[Tensor]]: ...

    def decode(self, codes: Tensor, features: list[Tensor], fidelity: float) -> Tensor: ...


def objective(drawn: Tensor, picture: Tensor, moved: Tensor, detail: int, stay: float) -> Tensor:
    """How far a drawn face is from the damaged one, at the size that holds all of the latter's detail.

    Args:
        drawn, picture: (1, 3, R, R) in [0, 1].
        moved: what was added to the codes, (1, n, latent).
        detail: side in pixels at which both are compared.
        stay: weight of how far the codes were moved: far from faces, a generator can draw anything.

    Returns:
        Scalar: mean absolute difference, plus `stay` times the mean square of `moved`.
    """
    size = (detail, detail)
    ours, theirs = (
        F.interpolate(face, size=size, mode="bilinear", align_corners=False, antialias=True)
        for face in (drawn, picture)
    )
    return F.l1_loss(ours, theirs) + stay * moved.square().mean()


def refine(
    network: DrawsFromCodes,
    picture: Tensor,
    steps: int,
    *,
    detail: int,
    fidelity: float = 1.0,
    rate: float = 0.02,
    stay: float = 0.02,
    tell: Told | None = None,
) -> tuple[Tensor, list[float]]:
    """Restore one face with codes sought for it.

    The answer is the best that was seen, the start included: never worse by the objective than without.

    Args:
        network: trained; its weights are left alone.
        picture: (1, 3, R, R) in [0, 1], of the size that the network draws.
        steps: of Adam, one drawn face each; 0: the network's own answer.
        detail: side in pixels that holds all detail of `picture`; no more than R counts.
        fidelity: share of the input, as in `FusionBFR.restore`.
        rate, stay: see Adam, and `objective`.

    Returns:
        The restored face (1, 3, R, R), and the best objective after each step, the start's first.

    Raises:
        ValueError: more than one picture, or one that is not square.
    """
    side = picture.shape[-1]
    if picture.shape != (1, 3, side, side):
        raise ValueError(f"one square face, got {tuple(picture.shape)}")
    with torch.inference_mode(mode=False), torch.enable_grad():  # whatever the caller is in
        return _seek(network, picture.clone(), steps, max(4, min(detail, side)), fidelity, rate, stay, tell)


def _seek(
    network: DrawsFromCodes,
    picture: Tensor,
    steps: int,
    detail: int,
    fidelity: float,
    rate: float,
    stay: float,
    tell: Told | None,
) -> tuple[Tensor, list[float]]:
    with torch.no_grad():
        codes, features = network.embed(picture)
    moved = torch.zeros_like(codes, requires_grad=True)
    optimizer = torch.optim.Adam([moved], rate)
    best, answer, course = float("inf"), picture, list[float]()
    for step in range(steps + 1):
        drawn = network.decode(codes + moved, features, fidelity)
        loss = objective(drawn, picture, moved, detail, stay)
        if (found := float(loss.detach())) < best:
            best, answer = found, drawn.detach()
        course.append(best)
        if tell is not None:
            tell(step, steps, best)
        if step < steps:
            # Only the codes: the weights' gradients are neither wanted nor computed.
            (moved.grad,) = torch.autograd.grad(loss, [moved])
            optimizer.step()
    return answer, course
