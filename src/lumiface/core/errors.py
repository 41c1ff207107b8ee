"""The errors that a person sees: one line that names the file or the setting, and the mend.

Everything raised on purpose derives from `LumifaceError`; the command line prints its text and nothing
else. Any other exception is a fault of ours and keeps its traceback.
"""

from __future__ import annotations


class LumifaceError(Exception):
    """One clear line: what is wrong, where, and what to do about it."""


class InputError(LumifaceError):
    """A file, folder or array that cannot be used as it is (truncated, not a picture, empty, too large)."""


class SettingError(LumifaceError):
    """A setting, flag or configuration that contradicts itself or asks for what does not exist."""


class OutputError(LumifaceError):
    """A result that cannot be written where it was asked to go."""


class AssetMissing(LumifaceError):
    """A pretrained part from elsewhere that is on this machine in none of the places where we look."""
