"""Building a pack: which runs fit, and everything that they need in one folder."""

from __future__ import annotations

import io
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from gpu.entries import FaceGroup, Plan, PlannedRun, QueueEntry, config_of, enough_time, is_paired, read_plan
from gpu.sizes import (
    BYTES_PER_SIDE,
    LEAST_BYTES_PER_SIDE,
    LIMIT,
    SLACK,
    least_bytes,
    require_fit,
    sizes_of,
    split_room,
    table,
)
from gpu.sources import ROOT, commit, write_source, write_validation, write_weights, write_wheels
from lumiface.core.assets import find_asset
from lumiface.core.errors import InputError, SettingError
from lumiface.core.files import write_bytes
from lumiface.data.sources import open_source
from lumiface.data.training.face_set import load_faces
from lumiface.data.training.pack import pack_faces


@dataclass(slots=True)
class Builder:
    """Builds the pack in `out` from faces in `data`; `weights` are folders of trained networks.

    `limit` is the most that the pack may hold, bytes; `after` a pack that goes to the same machine before, so
    that its faces are there already.
    """

    out: Path
    data: Path
    weights: Sequence[Path] = ()
    wheels: Path | None = None
    limit: int = LIMIT
    after: Path | None = None
    log: Callable[[str], None] = print
    sides: dict[str, Counter[int]] = field(default_factory=dict)

    def build(self, entries: Sequence[QueueEntry], minutes: float, *, all_needed: bool) -> Plan:
        """Build the pack of the first entries that fit together.

        Args:
            minutes: on the machine.
            all_needed: refuse if one does not fit.

        Raises:
            LumifaceError: something is absent, no entry fits, or the pack would be too large.
        """
        if not enough_time(entries if all_needed else entries[:1], minutes):
            raise SettingError(
                f"{minutes:g} minutes are too short for {', '.join(entry.name for entry in entries)}"
            )
        self.out.mkdir(parents=True, exist_ok=True)
        base = {"source.zip", "run"}
        write_source(self.out / "source.zip")
        shutil.copy(ROOT / "training" / "gpu" / "run", self.out / "run")
        write_wheels(self.out / "wheels", self.wheels)
        base |= {f"wheels/{wheel.name}" for wheel in (self.out / "wheels").iterdir()}
        chosen, kept, left_out = list[QueueEntry](), set(base), dict[str, str]()
        per_side = LEAST_BYTES_PER_SIDE if all_needed else BYTES_PER_SIDE
        for entry in entries:
            if not enough_time([*chosen, entry], minutes):
                left_out[entry.name] = f"{minutes:g} minutes are too short for it too"
                continue
            files = kept | self._files(entry)
            room = self.limit - SLACK - sum((self.out / name).stat().st_size for name in files)
            groups = [] if self.after else self._groups([*chosen, entry])
            needed = sum(least_bytes(self._sides(group), per_side) for group in groups)
            if room >= needed:
                chosen, kept = [*chosen, entry], files
                continue
            reason = f"needs {(needed - room) / 2**20:.1f} MiB more than there are"
            if all_needed or not chosen:
                self._remove_all_but(files)
                largest = ", ".join(
                    f"{name} {size / 2**20:.1f}" for name, size in [*sizes_of(self.out).items()][:3]
                )
                raise SettingError(
                    f"{entry.name} {reason}; the largest parts, MiB: {largest}; plan fewer runs"
                )
            left_out[entry.name] = reason
        return self._finish(chosen, kept, left_out, minutes)

    def _finish(
        self, chosen: Sequence[QueueEntry], kept: set[str], left_out: dict[str, str], minutes: float
    ) -> Plan:
        if self.after is None:
            room = self.limit - SLACK - sum((self.out / name).stat().st_size for name in kept)
            groups = self._groups(chosen)
            rooms = split_room(room, [self._sides(group) for group in groups])
            packed = [self._pack(group, most) for group, most in zip(groups, rooms, strict=True)]
            for group in packed:
                boxes = [f"faces/{group.name}.boxes.npy"] if group.boxes else []
                kept |= {f"faces/{group.name}.pack", *boxes}
        else:
            packed = read_plan(self.after / "plan.json").groups
        runs: list[PlannedRun] = []
        for entry in chosen:
            own = [
                group.name
                for group in packed
                if set(group.sources) <= {tar.name for tar in self._tars(entry)}
            ]
            have = {tar for group in packed if group.name in own for tar in group.sources}
            if missing := {tar.name for tar in self._tars(entry)} - have:
                raise SettingError(
                    f"{entry.name} needs {', '.join(sorted(missing))}, which {self.after} does not hold"
                )
            run = PlannedRun(
                entry=entry, groups=own, validate_on=self._validation(entry), paired=is_paired(entry)
            )
            config_of(run, self.out / "checked")  # a wrong setting is found here and not on the machine
            runs.append(run)
        plan = Plan(commit=commit(), minutes=minutes, runs=runs, groups=packed, left_out=left_out)
        write_bytes(self.out / "plan.json", plan.model_dump_json(indent=1).encode())
        self._remove_all_but(kept | {"plan.json"})
        sizes = sizes_of(self.out)
        self.log(table(sizes, self.limit))
        require_fit(sizes, self.limit)
        return plan

    def _files(self, entry: QueueEntry) -> set[str]:
        """Make the files of an entry besides its training faces; returns their names."""
        trained = {entry.init_from, entry.discriminator_from, *entry.weights} - {None}
        made = {f"data/{self._validation(entry)}", *(f"data/{name}" for name in entry.files)}
        for name in trained:
            made.add(f"weights/{name}.safetensors")
            write_weights(str(name), self.weights, self.out / "weights" / f"{name}.safetensors")
        for name in entry.assets:
            path = find_asset(name)
            made.add(f"assets/{path.name}")
            self._copy(path, self.out / "assets" / path.name)
        for name in entry.files:
            self._copy(self.data / name, self.out / "data" / name)
        if not (validation := self.out / "data" / self._validation(entry)).is_file():
            write_validation(self.data / f"{entry.validate_on}.tar", entry.validate_side, validation)
        return made

    def _copy(self, source: Path, target: Path) -> None:
        if not source.is_file():
            raise InputError(f"{source}: there is no such file; check the queue and --data")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)

    @staticmethod
    def _validation(entry: QueueEntry) -> str:
        side = "" if entry.validate_side is None else f"-{entry.validate_side}"
        return f"{entry.validate_on}{side}.tar"

    def _tars(self, entry: QueueEntry) -> list[Path]:
        found: list[Path] = []
        for name in entry.data:
            tar = self.data / f"{name}.tar"
            tars = [tar] if tar.is_file() else sorted(self.data.glob(f"{name}-*.tar"))
            if not tars:
                raise InputError(f"{tar}: there is no such file; check the queue and --data")
            found += tars
        return found

    def _groups(self, entries: Sequence[QueueEntry]) -> list[FaceGroup]:
        """The tars of all entries; those that the same entries use are one group."""
        users: dict[str, list[QueueEntry]] = {}
        for entry in entries:
            for tar in self._tars(entry):
                users.setdefault(tar.name, []).append(entry)
        grouped: dict[tuple[str, ...], list[str]] = {}
        for tar, used_by in users.items():
            grouped.setdefault(tuple(entry.name for entry in used_by), []).append(tar)
        groups: list[FaceGroup] = []
        for number, (_, tars) in enumerate(grouped.items()):
            used_by = users[tars[0]]
            sides = [entry.side for entry in used_by]
            largest = None if None in sides else max(side for side in sides if side)
            boxes = any(is_paired(entry) for entry in used_by)
            groups.append(FaceGroup(name=f"faces-{number}", sources=tars, side=largest, boxes=boxes))
        return groups

    def _sides(self, group: FaceGroup) -> Counter[int]:
        """{side: number of faces} of a group as packed; a tar's faces have the side of its first one."""
        total: Counter[int] = Counter()
        for name in group.sources:
            if name not in self.sides:
                source = open_source(self.data / name)
                self.sides[name] = Counter(_side(source.read(index)) for index in range(len(source)))
            for side, count in self.sides[name].items():
                total[min(side, group.side or side)] += count
        return total

    def _pack(self, group: FaceGroup, max_bytes: int) -> FaceGroup:
        """Write a group's pack and boxes, unless equal ones are there from before."""
        path = self.out / "faces" / f"{group.name}.pack"
        same = {"sources": group.sources, "side": group.side, "max_bytes": max_bytes, "boxes": group.boxes}
        previous = read_plan(self.out / "plan.json").groups if (self.out / "plan.json").is_file() else []
        for old in previous:
            if path.is_file() and old.name == group.name and old.model_dump(include=set(same)) == same:
                self.log(f"{group.name}: as before, {old.faces} faces at quality {old.quality}")
                return old
        sources = [self.data / name for name in group.sources]
        report = pack_faces(sources, path, max_bytes=max_bytes, side=group.side, log=self.log)
        if group.boxes:
            np.save(path.with_suffix(".boxes.npy"), self._boxes(sources))
        found = {"faces": report.faces, "quality": report.quality, "psnr": round(report.psnr, 2)}
        return group.model_copy(update=same | found)

    def _boxes(self, sources: Sequence[Path]) -> np.ndarray:
        """Boxes of the faces in the unit square, (N, 4) float16, in the order of the sources."""
        found = load_faces(sources, log=self.log).boxes
        pictures = open_source(sources)
        rows = {size: iter(boxes.numpy()) for size, boxes in found.items()}
        return np.stack([next(rows[_side(pictures.read(index))]) for index in range(len(pictures))]).astype(
            np.float16
        )

    def _remove_all_but(self, names: set[str]) -> None:
        for path in [path for path in self.out.rglob("*") if path.is_file()]:
            if path.relative_to(self.out).as_posix() not in names:
                path.unlink()


def _side(data: bytes) -> int:
    with Image.open(io.BytesIO(data)) as image:
        return image.width
