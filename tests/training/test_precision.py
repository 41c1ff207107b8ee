"""Mixed precision on a GPU rounds no input of a network."""

from __future__ import annotations

import pytest
import torch

from lumiface.training import launch
from lumiface.training.precision import Autocast


def test_inputs_of_a_network_keep_their_type() -> None:
    image = torch.rand(1, 3, 4, 4)
    assert Autocast().convert_input(image) is image


@pytest.mark.filterwarnings("ignore:CUDA is not available")
def test_the_arithmetic_is_bf16() -> None:
    context = Autocast().forward_context()
    assert isinstance(context, torch.autocast)
    assert (context.device, context.fast_dtype) == ("cuda", torch.bfloat16)


def test_a_run_on_a_gpu_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, object] = {}

    class Fabric:
        world_size, device = 1, torch.device("cpu")

        def __init__(self, **settings: object) -> None:
            given.update(settings)

        def launch(self) -> None:
            pass

    monkeypatch.setattr(launch, "Fabric", Fabric)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    launch.start_fabric(accelerator="cuda", devices="1", precision="bf16-mixed")
    assert isinstance(given["plugins"], Autocast)
    assert "precision" not in given
