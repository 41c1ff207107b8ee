"""What every room needs: errors, files, seeds, shapes, assets, devices, settings. No network, no picture."""

from __future__ import annotations
