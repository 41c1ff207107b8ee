"""Where training runs: one process or many, as Lightning Fabric places them."""

from __future__ import annotations

from typing import Any, cast

from lightning.fabric import Fabric
from lightning.fabric.utilities.exceptions import MisconfigurationException

from lumiface.errors import SettingError


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
        precision: "32-true", "bf16-mixed", ...

    Raises:
        SettingError: this machine has no such devices, or the settings do not go together.
    """
    wanted: Any = int(devices) if devices.isdecimal() else devices
    try:
        fabric = Fabric(
            accelerator=accelerator,
            devices=wanted,
            num_nodes=nodes,
            strategy=strategy,
            precision=cast("Any", precision),
        )
    except (ImportError, ValueError, TypeError, RuntimeError, MisconfigurationException) as error:
        what = " ".join(str(error).split())
        raise SettingError(f"training cannot start on {accelerator}, devices {devices}: {what}") from error
    fabric.launch()
    return fabric
