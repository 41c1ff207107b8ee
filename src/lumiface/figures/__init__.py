"""Figures and console tables: grids, labelled rows, histograms, masks."""

from __future__ import annotations
