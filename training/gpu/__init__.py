"""Minutes on a bare GPU machine: what travels to it, what runs there by the clock, what comes back.

This is a tool of the project's own training and not of the package: nothing in `lumiface` imports it. The
commands are the files without a suffix in this folder.
"""

from __future__ import annotations
