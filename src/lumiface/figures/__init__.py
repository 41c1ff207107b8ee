"""Pictures and console tables for people: grids, labelled rows, histograms, masks."""

from __future__ import annotations
