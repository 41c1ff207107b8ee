"""Several processes, one run: what each of two has left of its gradients."""

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
from lumiface.training.gradient_sync import apart, average_gradients

def say(line):
    os.write(1, f"{line}\\n".encode())  # at once: what two processes print may mix within a line

def threads():  # where the system tells their names
    return [task.read_text() for task in Path("/proc/self/task").glob("*/comm")]

atexit.register(lambda: say(f"threads of gloo: {sum('gloo' in name for name in threads())}"))  # runs last
atexit.register(lambda: say(f"parted {not torch.distributed.is_initialized()}"))
fabric = start_fabric(accelerator="cpu", devices="2")
torch.manual_seed(fabric.global_rank)  # what the first process has drawn is everybody's
asked, passed_by = torch.nn.Linear(3, 2), torch.nn.Linear(3, 2)
network = torch.nn.ModuleDict({"asked": asked, "passed_by": passed_by})
network.forward = lambda x: asked(x)
module, optimizer = fabric.setup(network, torch.optim.SGD(network.parameters(), 0.1))
data = torch.arange(6.0).reshape(2, 1, 3)  # a row for each process
for _ in range(2):
    optimizer.zero_grad()
    with apart(fabric, [module]):
        loss = module(data[fabric.global_rank]).square().sum() + module(torch.ones(1, 3)).sum()
        fabric.backward(loss)
        average_gradients(fabric, module)
    expected = torch.zeros_like(asked.weight)
    for row in data:
        whole = asked(row).square().sum() + asked(torch.ones(1, 3)).sum()
        expected += 0.5 * torch.autograd.grad(whole, asked.weight)[0]
    torch.testing.assert_close(asked.weight.grad, expected)
    assert passed_by.weight.grad is None
    optimizer.step()
weights = fabric.all_gather(asked.weight)
assert torch.equal(weights[0], weights[1])
say(f"done {fabric.global_rank}")
"""


def test_gradients_are_averaged_of_what_a_turn_has_asked(tmp_path: Path) -> None:
    script = tmp_path / "two.py"
    script.write_text(SCRIPT)
    ended = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.count("done") == 2
    assert ended.stdout.count("parted True") == 2  # threads of gloo that outlive Python abort it now and then
    assert ended.stdout.count("threads of gloo: 0") == 2
