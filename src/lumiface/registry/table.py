"""The table itself.

A method is a network class, its configuration, how it is trained, and what it can do. To add one, write its
folder in `papers` (or its file in `peers`) and its entry in the file of that name beside this one.
"""

from __future__ import annotations

from lumiface.registry.baselines import CLASSICAL, PEERS, UNPAIRED
from lumiface.registry.methods import PAPERS
from lumiface.registry.spec import Method

METHODS: dict[str, Method] = {method.name: method for method in (*PAPERS, *PEERS, *UNPAIRED, *CLASSICAL)}
