"""Networks at inference by another engine than torch's own: converted, checked, measured, exported.

What belongs here: the conversion of a trained network to ONNX, the engines that run the file (ONNX Runtime,
OpenVINO), the comparison with torch, the choice of the fastest engine, and the export for other programs.
"""

from __future__ import annotations

from lumiface.runtimes.load import check_runtime, load_network
from lumiface.runtimes.names import PRECISIONS, RUNTIMES, Precision, Runtime

__all__ = ["PRECISIONS", "RUNTIMES", "Precision", "Runtime", "check_runtime", "load_network"]
