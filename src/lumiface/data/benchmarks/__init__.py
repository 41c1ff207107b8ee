"""Test sets that anyone rebuilds to the byte."""

from __future__ import annotations
