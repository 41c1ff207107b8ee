"""Layers from papers of their own, for any network to be made of."""

from __future__ import annotations
