"""Latent optimisation for one face (§1.2, "embedding optimisation" taken further): optional, at test time.

The encoder's latents are right for faces on average. For one face they are optimised until the generated
face, reduced to the effective resolution of the degraded image, matches that image.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

Progress = Callable[[int, int, float], None]
"""Called with the step, the number of steps and the best objective so far."""


class LatentDecoder(Protocol):
    """The interface of a restorer whose latents can be optimised; see `FusionBFR`."""

    def embed(self, image: Tensor) -> tuple[Tensor, list[Tensor]]: ...

    def decode(self, latents: Tensor, features: list[Tensor], fidelity: float) -> Tensor: ...


def objective(
    output: Tensor, image: Tensor, delta: Tensor, effective_resolution: int, latent_reg: float
) -> Tensor:
    """Distance between a generated face and the degraded one, at the latter's effective resolution.

    Args:
        output, image: (1, 3, R, R) in [0, 1].
        delta: change of the latents, (1, n, latent).
        effective_resolution: size in pixels at which both are compared.
        latent_reg: weight of the squared change, which keeps the latents close to those of faces.

    Returns:
        Scalar: mean absolute difference, plus `latent_reg` times the mean square of `delta`.
    """
    size = (effective_resolution, effective_resolution)
    reduced_output, reduced_image = (
        F.interpolate(face, size=size, mode="bilinear", align_corners=False, antialias=True)
        for face in (output, image)
    )
    return F.l1_loss(reduced_output, reduced_image) + latent_reg * delta.square().mean()


def optimize_latents(
    network: LatentDecoder,
    image: Tensor,
    steps: int,
    *,
    effective_resolution: int,
    fidelity: float = 1.0,
    lr: float = 0.02,
    latent_reg: float = 0.02,
    progress: Progress | None = None,
) -> tuple[Tensor, list[float]]:
    """Restore one face with latents optimised for it.

    The result is the best of all steps, the start included: by the objective it is never worse than without.

    Args:
        network: trained; its weights are not changed.
        image: (1, 3, R, R) in [0, 1], at the network's resolution.
        steps: of Adam, one generated face each; 0: the network's own output.
        effective_resolution: size in pixels that holds all detail of `image`; limited to [4, R].
        fidelity: weight of the image features, as in `FusionBFR.restore`.
        lr: learning rate of Adam.
        latent_reg: see `objective`.
        progress: called after each step.

    Returns:
        The restored face (1, 3, R, R), and the best objective after each step, beginning with the start's.

    Raises:
        ValueError: more than one image, or one that is not square.
    """
    size = image.shape[-1]
    if image.shape != (1, 3, size, size):
        raise ValueError(f"one square face, got {tuple(image.shape)}")
    resolution = max(4, min(effective_resolution, size))
    with torch.inference_mode(mode=False), torch.enable_grad():  # whatever mode the caller is in
        return _optimize(network, image.clone(), steps, resolution, fidelity, lr, latent_reg, progress)


def _optimize(
    network: LatentDecoder,
    image: Tensor,
    steps: int,
    effective_resolution: int,
    fidelity: float,
    lr: float,
    latent_reg: float,
    progress: Progress | None,
) -> tuple[Tensor, list[float]]:
    with torch.no_grad():
        latents, features = network.embed(image)
    delta = torch.zeros_like(latents, requires_grad=True)
    optimizer = torch.optim.Adam([delta], lr)
    best_loss, best_output, history = float("inf"), image, list[float]()
    for step in range(steps + 1):
        output = network.decode(latents + delta, features, fidelity)
        loss = objective(output, image, delta, effective_resolution, latent_reg)
        if (value := float(loss.detach())) < best_loss:
            best_loss, best_output = value, output.detach()
        history.append(best_loss)
        if progress is not None:
            progress(step, steps, best_loss)
        if step < steps:
            # Of the latents only: no gradients of the weights are computed.
            (delta.grad,) = torch.autograd.grad(loss, [delta])
            optimizer.step()
    return best_output, history
