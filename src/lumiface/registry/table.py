"""The table itself.

A method is a network class, its configuration, how it is trained, and what it can do. To add one, write its
folder in `papers` (or its file in `peers`) and its entry in the file of that name beside this one.
"""

from __future__ import annotations

from lumiface.registry.method import Method
from lumiface.registry.papers import PAPERS
from lumiface.registry.peers import CLASSICAL, PEERS, UNPAIRED

METHODS: dict[str, Method] = {method.name: method for method in (*PAPERS, *PEERS, *UNPAIRED, *CLASSICAL)}
