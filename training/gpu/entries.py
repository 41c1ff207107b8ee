"""The queue of runs as written by people, and the plan of one pack as read on the GPU machine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field

from lumiface.core.errors import InputError, SettingError
from lumiface.core.files import read_bytes, write_bytes
from lumiface.core.settings import Settings, find_config, read_yaml, validate
from lumiface.training.config import RunConfig, TrainConfig
from lumiface.training.read_config import read_config

START_MINUTES = 2.0
"""Installing, decoding, smoke tests and measurements, before the first run."""


class QueueEntry(Settings):
    """One planned run."""

    name: str = Field(description="of the run and of the weights it writes")
    config: str = Field(description="name of the configuration that it is based on")
    minutes: float = Field(gt=0, description="minutes wanted; shares of the time are proportional to them")
    least: float = Field(default=3.0, gt=0, description="minutes below which it is not worth a start")
    gain: str = Field(description="what is expected of it")
    init_from: str | None = Field(default=None, description="initial weights, by name")
    discriminator_from: str | None = Field(default=None, description="initial discriminator, by name")
    weights: list[str] = Field(
        default_factory=list, description="other trained networks that it loads by name"
    )
    extract: dict[str, str] = Field(
        default_factory=dict,
        description="networks that are inside of `init_from`: name -> beginning of their layers' names",
    )
    data: list[str] = Field(
        default_factory=list, description="training faces: NAME for NAME.tar or all NAME-*.tar"
    )
    side: int | None = Field(
        default=None, ge=16, description="side to which larger training faces are reduced"
    )
    files: list[str] = Field(default_factory=list, description="files of the data folder, copied as they are")
    validate_on: str = Field(default="faces256-val", description="validation faces")
    validate_side: int | None = Field(
        default=128, ge=16, description="side to which they are reduced, exactly"
    )
    assets: list[str] = Field(default_factory=list, description="pretrained assets, by name")
    batches: list[int] = Field(
        default_factory=lambda: [64],
        min_length=1,
        description="batch sizes to choose from; `lr` is that of the first and grows with the root",
    )
    overrides: dict[str, Any] = Field(default_factory=dict, description="settings over the configuration's")
    manual: str | None = Field(default=None, description="why a pack cannot hold it; it is started by hand")


class FaceGroup(Settings):
    """Training faces that are used by the same runs: one pack.

    `name` is the file's without suffix, `sources` its tars, `boxes` whether the faces were detected.
    """

    name: str
    sources: list[str]
    side: int | None = None
    boxes: bool = False
    faces: int = 0
    quality: int = 0
    psnr: float = 0.0
    max_bytes: int = 0


class PlannedRun(Settings):
    """A run of a pack: the entry, its groups of faces, the file of its validation faces."""

    entry: QueueEntry
    groups: list[str]
    validate_on: str
    paired: bool

    def folder(self, work: Path) -> Path:
        """The run's folder below the machine's work folder."""
        return work / "runs" / self.entry.name

    def settings(self) -> dict[str, Any]:
        """What its configuration file says; `{data}` is the folder of prepared files."""
        entry = self.entry
        settings: dict[str, Any] = {"base": entry.config, "name": entry.name, **entry.overrides}
        settings["train"] = [f"{{data}}/{group}.pack" for group in self.groups]
        settings["validate_on"] = f"{{data}}/{self.validate_on}"
        if entry.discriminator_from is not None:
            settings["discriminator_from"] = f"{{data}}/{entry.discriminator_from}.safetensors"
        return settings


class Plan(Settings):
    """What a pack holds."""

    commit: str
    minutes: float
    runs: list[PlannedRun]
    groups: list[FaceGroup]
    left_out: dict[str, str] = Field(default_factory=dict)


def read_queue(path: Path) -> list[QueueEntry]:
    """The entries of a queue, in order.

    Raises:
        InputError: the file is absent or no YAML.
        SettingError: a setting of an entry is unknown or out of range, or two entries have one name.
    """
    entries = [
        validate(QueueEntry, raw, f"{path}: {raw.get('name')}") for raw in read_yaml(path).get("runs", [])
    ]
    names = [entry.name for entry in entries]
    if repeated := {name for name in names if names.count(name) > 1}:
        raise SettingError(f"{path}: {', '.join(sorted(repeated))} is planned twice; rename one")
    return entries


def choose_entries(queue: Sequence[QueueEntry], names: Sequence[str]) -> list[QueueEntry]:
    """The entries of these names, or all that a pack can hold.

    Raises:
        SettingError: a name is not in the queue, or is started by hand.
    """
    by_name = {entry.name: entry for entry in queue}
    for name in names:
        if name not in by_name:
            raise SettingError(f"{name} is not in the queue; planned are {', '.join(by_name)}")
        if reason := by_name[name].manual:
            raise SettingError(f"{name} is started by hand: {reason}")
    return [by_name[name] for name in names] if names else [entry for entry in queue if not entry.manual]


def enough_time(entries: Sequence[QueueEntry], minutes: float) -> bool:
    """Whether each of the entries gets its minimum of so many minutes in all."""
    return START_MINUTES + sum(entry.least for entry in entries) <= minutes


def config_of(run: PlannedRun, folder: Path, changes: dict[str, Any] | None = None) -> RunConfig:
    """The checked configuration of a run; its YAML file is kept in the folder.

    Raises:
        SettingError: a setting is unknown or out of range.
    """
    path = folder / "config.yaml"
    write_bytes(path, yaml.safe_dump(run.settings(), sort_keys=False).encode())
    return read_config(path, changes)


def is_paired(entry: QueueEntry) -> bool:
    """Whether the run trains a method on pairs, which needs the faces' boxes."""
    return isinstance(read_config(find_config(entry.config)), TrainConfig)


def read_plan(path: Path) -> Plan:
    """The plan of a pack.

    Raises:
        InputError: it is absent or damaged.
    """
    try:
        return Plan.model_validate_json(read_bytes(path))
    except ValueError as error:
        raise InputError(f"{path} is damaged; build the pack again") from error
