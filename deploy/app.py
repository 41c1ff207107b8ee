from __future__ import annotations

import os

from lumiface.cli import app

if __name__ == "__main__":  # the process that restores imports this file, too
    app(["web", "--host", "0.0.0.0", "--name", os.environ["SPACE_HOST"]])
