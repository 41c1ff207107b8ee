"""`python -m lumiface` is the command line, for where no script is installed."""

from __future__ import annotations

from lumiface.cli import app

app()
