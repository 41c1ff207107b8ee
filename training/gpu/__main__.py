"""`run` on the GPU machine, after the packages are installed: its options."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from pathlib import Path

from gpu.conductor import Conductor
from lumiface.core.errors import LumifaceError


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pack", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, required=True)
    parser.add_argument("--started", type=float, help="time at which the minutes began (Unix)")
    parser.add_argument("--runs", nargs="+", default=[], metavar="NAME", help="only these of the pack")
    parser.add_argument("--resume", action="store_true", help="runs of an earlier call here go on")
    parser.add_argument("--dry", action="store_true", help="on the CPU, with tiny settings")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # as an exception, so that results are written
    started: float = options.started or time.time()
    end = started + 60.0 * options.minutes
    folders = (options.pack, options.work, options.out)
    try:
        conductor = Conductor(
            *folders, started, end, dry=options.dry, names=options.runs, resume=options.resume
        )
    except LumifaceError as error:
        sys.exit(str(error))
    conductor.run()


if __name__ == "__main__":
    main()
