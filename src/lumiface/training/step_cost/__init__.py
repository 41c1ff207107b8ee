"""The cost of a training step on a GPU, counted without a GPU.

One step of a training task is run as the training loop runs it, on a CUDA device that has no values
(`fake_device`). Counted are kernels, floating-point operations, memory traffic, and the places at which the
host waits for the device (`counter`); a roofline turns them into milliseconds (`roofline`).
"""

from __future__ import annotations

from lumiface.training.step_cost.counter import HostWait, Kernel, StepCounter
from lumiface.training.step_cost.measure import StepCost, measure_step, pretend_cuda
from lumiface.training.step_cost.roofline import CARDS

__all__ = ["CARDS", "HostWait", "Kernel", "StepCost", "StepCounter", "measure_step", "pretend_cuda"]
