"""One training loop; a task defines networks, batches and losses."""

from __future__ import annotations
