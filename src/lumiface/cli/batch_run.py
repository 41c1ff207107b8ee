"""The batch of `lumiface restore`: planned, and run in this process, in several, or on a cluster."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from lumiface.cli.pipes import Pipes
from lumiface.cli.shared import INTERRUPTED, checked, print_error
from lumiface.core.errors import AssetMissing, InputError, OutputError, SettingError

if TYPE_CHECKING:
    import torch

    from lumiface.restoration.batch import Summary
    from lumiface.restoration.config import RestoreConfig
    from lumiface.restoration.files.jobs import Jobs
    from lumiface.restoration.restorer import Restorer
    from lumiface.restoration.workers import WorkerPool


@dataclass(frozen=True, slots=True)
class ReportPaths:
    """Files written beside the results: a contact sheet, and a report of the trust of every face."""

    sheet: Path | None = None
    trust: Path | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a batch is restored.

    Attributes:
        device: of the networks, as given.
        processes: their number, if the user says it.
        cluster: address of a Ray cluster, or "local".
        urls: inputs and output, if they are URLs.
    """

    device: str
    processes: int | None = None
    cluster: str | None = None
    urls: tuple[tuple[str, ...], str] | None = None

    def plan(self, pipes: Pipes) -> Jobs:
        from lumiface.restoration.files.jobs import plan_jobs

        if self.urls is None:
            return plan_jobs(pipes.inputs, pipes.output)
        from lumiface.restoration.cluster.buckets import plan_urls

        return plan_urls(*self.urls)

    def workers(
        self, jobs: Jobs, device: torch.device, model: str | None, config: RestoreConfig
    ) -> WorkerPool | None:
        """None: the pictures are restored in this process."""
        if self.cluster is not None:
            from lumiface.restoration.cluster.ray_workers import RayWorkers

            there = partial(restorer_of_process, model, config, self.device)
            return RayWorkers(self.cluster, there, self.processes, device.type == "cuda")
        from lumiface.restoration.workers import Workers, choose_count

        count = choose_count(self.processes, len(jobs.todo), device)
        return Workers(count, partial(restorer_of_process, model, config, str(device))) if count > 1 else None


def run_batch(
    pipes: Pipes,
    model: str | None,
    options: dict[str, Any],
    place: Place,
    reports: ReportPaths,
    batch: dict[str, Any],
) -> Summary:
    """Plan and run the batch; Ctrl-C ends it with a line on what is done and how to go on."""
    from lumiface.cli.progress import progress_bar
    from lumiface.core.device import choose_device
    from lumiface.restoration.batch import Summary, run_jobs
    from lumiface.restoration.config import RestoreConfig
    from lumiface.restoration.report.report import TrustReport
    from lumiface.restoration.restorer import Restorer
    from lumiface.restoration.sheet import ContactSheet

    if reports.trust is not None and options.get("trust") is None:
        options = options | {"trust": "full"}
    config = checked(RestoreConfig, options)
    torch_device = choose_device(place.device)
    contact_sheet = ContactSheet(reports.sheet) if reports.sheet is not None else None
    trust_report = TrustReport(reports.trust) if reports.trust is not None else None
    try:
        jobs = place.plan(pipes)
        if contact_sheet is not None:
            contact_sheet.refuse_inputs(job.source for job in jobs.todo)
        restorer = Restorer(model, config, str(torch_device)) if jobs.todo else None
    # The model, the detector's file or the output folder: no input can be restored.
    except (AssetMissing, InputError, OutputError) as error:
        raise SettingError(str(error)) from error
    if restorer is None:
        return Summary.of_jobs(jobs)
    finished = 0
    with progress_bar("restoring") as progress:
        restorer.log = lambda line: progress(None, None, line)
        restorer.warn = lambda line: print_error(pipes.named(line))

        def advance(done: int, total: int, path: Path) -> None:
            nonlocal finished
            finished = done
            progress(done, total, path.name)

        try:
            return run_jobs(
                jobs,
                restorer,
                progress=advance,
                sheet=contact_sheet,
                report=trust_report,
                workers=place.workers(jobs, torch_device, model, config),
                **batch,
            )
        except KeyboardInterrupt:
            print_error(
                f"stopped: {finished} of {len(jobs.todo)} pictures done, no file half written; "
                "the same command goes on with the rest"
            )
            raise typer.Exit(INTERRUPTED) from None


def restorer_of_process(model: str | None, config: RestoreConfig, device: str) -> Restorer:
    """The restorer of a process of `--jobs`, which has no progress bar."""
    from lumiface.restoration.restorer import Restorer

    restorer = Restorer(model, config, device)
    restorer.warn = print_error
    return restorer
