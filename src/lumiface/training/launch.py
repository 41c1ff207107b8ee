"""Where training runs: one process or many, as Lightning Fabric places them."""

from __future__ import annotations

import atexit
import gc
import warnings
from typing import Any

import torch
from lightning.fabric import Fabric
from lightning.fabric.utilities.exceptions import MisconfigurationException
from torch.nn.parallel import DistributedDataParallel

from lumiface.core.errors import SettingError
from lumiface.training.precision import Autocast


def start_fabric(
    *,
    accelerator: str = "auto",
    devices: str = "auto",
    nodes: int = 1,
    strategy: str = "auto",
    precision: str = "32-true",
) -> Fabric:
    """Start the processes of a run; each of them returns from here with its own Fabric.

    Args:
        accelerator: "auto", "cpu", "cuda", "mps", ...
        devices: how many ("2"), which ("0,3"), or "auto": every GPU there is, or one process on the CPU.
        nodes: machines; started alike on each (torchrun, SLURM).
        strategy: "auto", "ddp", "fsdp", ...
        precision: "32-true", "bf16-mixed", ...; where a CPU would only imitate bf16, float32 is taken.

    Raises:
        SettingError: this machine has no such devices, or the settings do not go together.
    """
    wanted: Any = int(devices) if devices.isdecimal() else devices
    on_cpu = accelerator == "cpu" or (accelerator == "auto" and not torch.cuda.is_available())
    if on_cpu and precision == "bf16-mixed" and not _has_bf16():
        warnings.warn("this CPU has no bf16 arithmetic: training in float32, ten times faster", stacklevel=2)
        precision = "32-true"
    arithmetic: dict[str, Any] = {"precision": precision}
    if _on_cuda(accelerator) and strategy in ("auto", "ddp") and precision == "bf16-mixed":
        arithmetic = {"plugins": Autocast()}
    try:
        fabric = Fabric(
            accelerator=accelerator, devices=wanted, num_nodes=nodes, strategy=strategy, **arithmetic
        )
    except (ImportError, ValueError, TypeError, RuntimeError, MisconfigurationException) as error:
        what = " ".join(str(error).split())
        raise SettingError(f"training cannot start on {accelerator}, devices {devices}: {what}") from error
    fabric.launch()
    if fabric.world_size > 1:
        atexit.register(_leave_process_group)
    if fabric.device.type == "cuda":  # the fastest kernels, though not the same bits twice
        torch.backends.cudnn.benchmark = True
        torch.set_float32_matmul_precision("high")
    return fabric


def _on_cuda(accelerator: str) -> bool:
    return accelerator in ("cuda", "gpu", "auto") and torch.cuda.is_available()


def _leave_process_group() -> None:
    """Destroy the process group before the interpreter shuts down.

    Threads of gloo that still run during shutdown abort the process, so a run that has ended well would now
    and then exit with SIGABRT. They end when nothing holds their group any more; wrapped networks hold it.
    Lightning does this for NCCL only.
    """
    if torch.distributed.is_initialized():
        for wrapped in [thing for thing in gc.get_objects() if type(thing) is DistributedDataParallel]:
            vars(wrapped).clear()
        torch.distributed.destroy_process_group()
        gc.collect()


def _has_bf16() -> bool:
    """Whether this CPU computes in bf16; others convert every number back and forth."""
    if not hasattr(torch.cpu, "get_capabilities"):  # unknown before torch 2.11
        return True
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16"))
