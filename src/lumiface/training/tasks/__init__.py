"""One file per training task: its configuration, its networks, batches and losses; `table` lists them."""

from __future__ import annotations
