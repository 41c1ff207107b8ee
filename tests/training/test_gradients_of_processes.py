"""Two processes, one run: their gradients are averaged, and none of their threads is left at the end."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPT = """
import atexit
import os
from pathlib import Path
import torch
from lumiface.training.launch import start_fabric
from lumiface.training.gradients import no_gradient_sync, average_gradients

def write(line):
    os.write(1, f"{line}\\n".encode())  # at once: what two processes print may mix within a line

def threads():  # on systems that list their names
    return [task.read_text() for task in Path("/proc/self/task").glob("*/comm")]

atexit.register(lambda: write(f"threads of gloo: {sum('gloo' in name for name in threads())}"))  # runs last
atexit.register(lambda: write(f"left the group {not torch.distributed.is_initialized()}"))
fabric = start_fabric(accelerator="cpu", devices="2")
torch.manual_seed(fabric.global_rank)  # both get the initial weights of the first process
used, unused = torch.nn.Linear(3, 2), torch.nn.Linear(3, 2)
network = torch.nn.ModuleDict({"used": used, "unused": unused})
network.forward = lambda x: used(x)
module, optimizer = fabric.setup(network, torch.optim.SGD(network.parameters(), 0.1))
data = torch.arange(6.0).reshape(2, 1, 3)  # a row for each process
for _ in range(2):
    optimizer.zero_grad()
    with no_gradient_sync(fabric, [module]):
        loss = module(data[fabric.global_rank]).square().sum() + module(torch.ones(1, 3)).sum()
        fabric.backward(loss)
        average_gradients(fabric, module)
    expected = torch.zeros_like(used.weight)
    for row in data:
        whole = used(row).square().sum() + used(torch.ones(1, 3)).sum()
        expected += 0.5 * torch.autograd.grad(whole, used.weight)[0]
    torch.testing.assert_close(used.weight.grad, expected)
    assert unused.weight.grad is None
    optimizer.step()
weights = fabric.all_gather(used.weight)
assert torch.equal(weights[0], weights[1])
write(f"done {fabric.global_rank}")
"""


def test_gradients_of_the_used_parameters_are_averaged(tmp_path: Path) -> None:
    script = tmp_path / "two.py"
    script.write_text(SCRIPT)
    process = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr
    assert process.stdout.count("done") == 2
    # Threads of gloo that outlive Python abort it now and then.
    assert process.stdout.count("left the group True") == 2
    assert process.stdout.count("threads of gloo: 0") == 2
