"""Errors for the user: one line that names the file or the setting, the reason and the fix.

Expected errors derive from `LumifaceError`; the command line prints only their text. Any other exception is a
bug and keeps its traceback.
"""

from __future__ import annotations


class LumifaceError(Exception):
    """One line of text: what is wrong, where, and how to fix it."""


class InputError(LumifaceError):
    """An unusable file, folder or array (truncated, not an image, empty, too large)."""


class SettingError(LumifaceError):
    """A setting, option or configuration that is contradictory or names something that does not exist."""


class OutputError(LumifaceError):
    """A result that cannot be written to the requested path."""


class AssetMissing(LumifaceError):
    """A pretrained asset by a third party that is not found on this machine."""
