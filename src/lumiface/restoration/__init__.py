"""Inference: photographs in, restored photographs out.

Not named `restore`, like the function: importing a module of it would hide `lumiface.restore`.
"""

from __future__ import annotations
