"""A few steps of a run before it: that losses and gradients are finite, how fast it is, what it needs."""

from __future__ import annotations

import time
from typing import Any

import torch
from lightning.fabric import Fabric
from torch import Tensor

from gpu.schedule import Probe
from lumiface.core.errors import LumifaceError
from lumiface.training.config import RunConfig
from lumiface.training.loop import set_up, update
from lumiface.training.task import TrainingTask

WARMUP = 3
"""Steps before speed is measured."""
TIMED = 16
"""Steps whose speed is measured: the period of R1, and always the same input sizes."""
WAIT_EVERY = 4
"""Steps that are queued on the device before the clock is read."""


class NonFiniteError(LumifaceError):
    """A loss term or a gradient that is infinite or NaN."""


class Trial:
    """Steps of a task as the training loop takes them; the task is of no use afterwards."""

    def __init__(self, task: TrainingTask, config: RunConfig, fabric: Fabric) -> None:
        self.task, self.config, self.fabric = task, config, fabric
        self.state, self.optimizers = set_up(task, config, fabric)

    def step(self, number: int, *, check: bool = False) -> tuple[int, dict[str, float]]:
        """One training step at a thousandth of the learning rate.

        Args:
            number: of the step, which selects the batch.
            check: wait for the device, and examine every loss term and every gradient.

        Returns:
            The number of images, and the loss terms if they were examined.

        Raises:
            NonFiniteError: a term or gradient is infinite or NaN.
        """
        images, found = 0, dict[str, float]()
        for loss in self.task.training_steps(self.state, number):
            optimizer, lr = self.optimizers[loss.network], 1e-3 * self.config.lr
            update(self.task, self.state, optimizer, self.fabric, loss, number, lr=lr, clip=self.config.clip)
            if check:  # clipping has left the gradients in place, and one that is not finite stays so
                found |= _finite_terms(loss.terms)
                _finite_gradients(loss.network, self.state.models[loss.network])
            images = loss.images
        return images, found

    def warm_up(self, steps: int = 8) -> None:
        """Compile the networks for every input size of the run, whichever part of it samples that size."""
        for progress in (0.0, 0.35, 0.6, 0.95):
            self.state.progress = progress
            for number in range(steps):
                self.step(number)

    def profile(self, steps: int = 16, rows: int = 40) -> str:
        """Kernels and milliseconds of the device per training step, and the kernels that take most of them.

        Args:
            steps: the period of R1, and always the same input sizes.
            rows: kernels that are listed.
        """
        activities = [torch.profiler.ProfilerActivity.CUDA]
        self._wait()
        with torch.profiler.profile(activities=activities) as profiler:
            for number in range(steps):
                self.step(number)
            self._wait()
        events = profiler.key_averages()
        kernels = [event for event in events if "CPU" not in str(event.device_type)]
        total = sum(event.self_device_time_total for event in kernels) / 1e3 / steps
        count = sum(event.count for event in kernels) / steps
        lines = [f"batch {self.config.batch}: {count:.0f} kernels and {total:.2f} ms of the device per step"]
        for event in sorted(kernels, key=lambda event: -event.self_device_time_total)[:rows]:
            milliseconds = event.self_device_time_total / 1e3 / steps
            lines.append(f"{milliseconds:8.3f} ms {event.count / steps:8.1f} x  {event.key[:110]}")
        return "\n".join(lines) + "\n"

    def validate(self) -> tuple[float, float]:
        """The score of the weights, and the seconds that it takes."""
        self._wait()
        started = time.perf_counter()
        score, _ = self.task.validate(self.state)
        self._wait()
        return score, time.perf_counter() - started

    def measure(self, seconds: float) -> Probe:
        """Speed and memory over `TIMED` steps, or as many as fit into the seconds."""
        on_gpu = self.fabric.device.type == "cuda"
        if on_gpu:
            torch.cuda.reset_peak_memory_stats()
        for number in range(WARMUP):
            self.step(number)
        self._wait()
        started, images, steps, elapsed = time.perf_counter(), 0, 0, 0.0
        while steps < TIMED and elapsed < seconds:
            images += self.step(steps)[0]
            steps += 1
            if steps % WAIT_EVERY == 0:
                self._wait()
            elapsed = time.perf_counter() - started
        self._wait()
        elapsed = time.perf_counter() - started
        memory = torch.cuda.max_memory_allocated() / 2**30 if on_gpu else 0.0
        return Probe(self.config.batch, images / elapsed, steps / elapsed, memory)

    def _wait(self) -> None:
        if self.fabric.device.type == "cuda":
            torch.cuda.synchronize()


def _finite_terms(terms: dict[str, Tensor]) -> dict[str, float]:
    values = {name: float(value.detach()) for name, value in terms.items()}
    if broken := [name for name, value in values.items() if not abs(value) < float("inf")]:
        raise NonFiniteError(f"loss terms {', '.join(broken)} are not finite: {values}")
    return values


def _finite_gradients(name: str, network: Any) -> None:
    gradients = {key: value.grad for key, value in network.named_parameters() if value.grad is not None}
    if not gradients:
        raise NonFiniteError(f"no parameter of {name} has a gradient")
    if broken := [key for key, grad in gradients.items() if not bool(torch.isfinite(grad).all())]:
        raise NonFiniteError(f"{name}: gradients of {', '.join(broken[:5])} are not finite")
