"""`-` for standard input and output, and inputs that do not exist, found before anything slow is loaded."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from lumiface.cli.shared import BAD_INPUT, print_error
from lumiface.core.errors import InputError, OutputError, SettingError
from lumiface.core.files import matching_paths, missing_line

PIPE = "-"


def refuse_missing(inputs: Sequence[str]) -> int | None:
    """If none of the inputs exists, a line for each and the exit code; None if there is something to do."""
    missing = [name for name in inputs if name != PIPE and not matching_paths(name)]
    if not inputs or len(missing) < len(inputs):
        return None
    for name in missing:
        print_error(missing_line(name))
    return BAD_INPUT


def are_urls(inputs: Sequence[str], output: str | None) -> bool:
    """Whether a batch is one of URLs (s3://, gs://, file:// and so on) and not of paths.

    Raises:
        SettingError: only some of inputs and output are URLs, or there is no output.
    """
    urls = ["://" in text for text in [*inputs, output or ""]]
    if any(urls) and not all(urls):
        raise SettingError("inputs and output: all URLs, or all paths; write a folder here as file:///…")
    return all(urls)


class Pipes:
    """Stands in for `-` with files in a temporary folder, which is gone at the end.

    Args:
        inputs: as given; `-` is standard input, and then the only input.
        output: as given; `-` is standard output, also if it is missing and the input is `-`.

    Attributes:
        inputs, output: without `-`.
        to_stdout: the result goes to standard output, so nothing else may.

    Raises:
        SettingError: `-` beside other inputs, for several pictures, or towards a terminal.
        InputError: standard input is empty.
    """

    def __init__(self, inputs: Sequence[str], output: Path | None) -> None:
        from_stdin = PIPE in inputs
        if from_stdin and len(inputs) > 1:
            raise SettingError("- is standard input, one picture; leave the other inputs out")
        self.to_stdout = str(output) == PIPE if output is not None else from_stdin
        if self.to_stdout and sys.stdout.isatty():
            raise SettingError("the picture would go to the terminal; add > FILE, or -o FILE")
        if self.to_stdout and (len(inputs) != 1 or Path(inputs[0]).is_dir()):
            raise SettingError("standard output takes one picture; name a folder: -o DIR")
        self.inputs, self.output = list(inputs), output
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        if not from_stdin and not self.to_stdout:
            return
        self._folder = tempfile.TemporaryDirectory(prefix="lumiface-")
        folder = Path(self._folder.name)
        if from_stdin:
            data = sys.stdin.buffer.read()
            if not data:
                self._folder.cleanup()
                raise InputError("standard input is empty; pipe a picture into it")
            (folder / "stdin").write_bytes(data)
            self.inputs = [str(folder / "stdin")]
        if self.to_stdout:
            self.output = folder / "out"
            self.output.mkdir()

    def __enter__(self) -> Pipes:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._folder is not None:
            self._folder.cleanup()

    def send(self, results: Sequence[Path]) -> None:
        """Write the result to standard output, if that was asked for.

        Raises:
            OutputError: it cannot be written.
        """
        if not self.to_stdout:
            return
        for result in results:
            try:
                sys.stdout.buffer.write(result.read_bytes())
                sys.stdout.buffer.flush()
            except OSError as fault:
                raise OutputError(f"standard output cannot be written ({fault.strerror or fault})") from fault

    def named(self, line: str) -> str:
        """A line for the user, with `standard input` where it names the file that stands in for it."""
        return line if self._folder is None else line.replace(f"{self._folder.name}/stdin", "standard input")
