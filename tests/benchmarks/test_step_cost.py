"""The cost of a step, counted on a device without values: by hand, and of every training task."""

from __future__ import annotations

import io
import tarfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import conv2d
from torch.utils._python_dispatch import TorchDispatchMode

from example_runs import paired_config
from fake_gpu import CARDS, Kernel, StepCounter, measure_step, pretend_cuda
from fake_gpu.compiled import FakeCompiler
from fake_gpu.counter import FREE
from fake_gpu.host import seconds_per_operation
from fake_gpu.placement import CUDA, PlacedOnCpu, mark, on_cuda
from fake_gpu.roofline import LAUNCH, milliseconds
from helpers import Find, write_crops
from lumiface.geometry.camera import orbit_camera, project
from lumiface.geometry.mesh import FaceMeshes, canonical_face
from lumiface.registry import build
from lumiface.training.checkpoint import save_weights
from lumiface.training.config import RunConfig
from lumiface.training.tasks.table import BY_COMPONENT, config_class


def names(counter: StepCounter) -> list[str]:
    return [kernel.name for kernel in counter.kernels]


def conv_flops(batch: int, inputs: int, outputs: int, side: int) -> int:
    """Of a 3x3 convolution that keeps the size."""
    return 2 * batch * inputs * outputs * 9 * side * side


# --- by hand ------------------------------------------------------------------------------------------------


def test_kernels_of_a_hand_made_step_are_counted() -> None:
    with pretend_cuda() as (counter, _):
        conv = nn.Conv2d(3, 4, 3, padding=1, device="cuda")
        optimizer = torch.optim.Adam(conv.parameters(), fused=True)
        image = torch.rand(2, 3, 8, 8, device="cuda")
        counter.reset()
        loss = conv(image).flatten(1).square().mean()
        assert names(counter) == ["convolution", "pow", "mean"]  # a view starts no kernel
        convolution = counter.kernels[0]
        assert convolution.flops == conv_flops(2, 3, 4, 8)
        assert convolution.bytes == 4 * (2 * 3 * 8 * 8 + 4 * 3 * 9 + 4 + 2 * 4 * 8 * 8)
        assert convolution.dtype == torch.float32
        counter.reset()
        loss.backward()
        assert names(counter).count("convolution_backward") == 1
        # The image needs no gradient: only the weights' is computed.
        assert sum(kernel.flops for kernel in counter.kernels) == conv_flops(2, 3, 4, 8)
        assert conv.weight.grad is not None
        assert conv.weight.grad.is_cuda
        optimizer.step()
        counter.reset()
        optimizer.step()
        assert "_fused_adam_" in names(counter)  # all parameters at once
        assert len(counter.kernels) == 2
        assert counter.waits == []


def test_waits_of_the_host_are_counted_with_their_places() -> None:
    with pretend_cuda() as (counter, _):
        x = torch.rand(4, 5, device="cuda")
        weights = torch.rand(5)
        counter.reset()
        float(x.sum())
        x.cpu()
        weights.to("cuda")
        x.new_tensor([1.0, 2.0])
        x[x > 0.5].sum()
        x[torch.tensor([0, 2])].sum()
        kinds = [wait.kind for wait in counter.waits]
        assert kinds == ["read", "download", "upload", "upload", "size", "upload"]
        counter.reset()
        weights.pin_memory().to("cuda", non_blocking=True)
        x[x > 0.5] = 0.0  # a masked fill
        torch.tensor([1.0]).sum().item()  # on the CPU
        assert counter.waits == []
        assert len(counter.pinned) == 1
        weights.pin_memory().to("cuda")
        assert [wait.kind for wait in counter.waits] == ["upload"]


def test_the_cpu_has_true_values_beside_the_device() -> None:
    with pretend_cuda():
        assert torch.tensor([1.0, 2.0]).sum().item() == 3.0
        assert torch.rand(3, generator=torch.Generator("cuda"), device="cuda").is_cuda
        assert not torch.rand(3).is_cuda


def test_mixed_precision_is_that_of_cuda() -> None:
    with pretend_cuda() as (counter, _):
        conv, norm = nn.Conv2d(4, 4, 3, padding=1, device="cuda"), nn.GroupNorm(2, 4, device="cuda")
        image = torch.rand(2, 4, 8, 8, device="cuda")
        with torch.autocast("cuda", dtype=torch.bfloat16):
            features = conv(image)
            output = norm(features)
        assert (features.dtype, output.dtype) == (torch.bfloat16, torch.float32)
        output.sum().backward()
        assert conv.weight.grad is not None
        assert conv.weight.grad.dtype == torch.float32
    convolutions = [kernel for kernel in counter.kernels if kernel.name.startswith("convolution")]
    assert {kernel.dtype for kernel in convolutions} == {torch.bfloat16}


def test_second_derivatives_cost_what_torch_computes() -> None:
    """R1: the gradient by the image needs none by the weights, but its own backward pass does."""
    with pretend_cuda() as (counter, _):
        conv = nn.Conv2d(4, 4, 3, padding=1, bias=False, device="cuda")
        image = torch.rand(2, 4, 8, 8, device="cuda").requires_grad_()
        output = conv(image).square().sum()
        counter.reset()
        (gradient,) = torch.autograd.grad(output, image, create_graph=True)
        assert gradient.shape == image.shape
        flops = [kernel.flops for kernel in counter.kernels if kernel.flops]
        assert flops == [conv_flops(2, 4, 4, 8)]
        gradient.square().sum().backward()
        assert conv.weight.grad is not None


def test_gradients_reach_what_torchs_engine_reaches() -> None:
    """Branches, a value used twice, expanded and frozen ones: the same kernels as on a device with values."""

    def gradients(device: str) -> list[tuple[int, ...] | None]:
        torch.manual_seed(0)
        a, b, c = (torch.rand(3, 4, device=device).requires_grad_() for _ in range(3))
        frozen = torch.rand(4, device=device)
        first = (a * b + frozen).relu()
        loss = (first @ first.T).sum() + first.mean() + torch.cat([b[:1], a.detach()]).sum()
        loss.backward()
        return [None if each.grad is None else tuple(each.grad.shape) for each in (a, b, c)]

    expected = gradients("cpu")
    with pretend_cuda():
        assert gradients("cuda") == expected == [(3, 4), (3, 4), None]


def small_network() -> nn.Module:
    torch.manual_seed(0)
    layers = (nn.Conv2d(4, 4, 3, padding=1), nn.GroupNorm(2, 4), nn.GELU(), nn.Conv2d(4, 4, 3, padding=1))
    return nn.Sequential(*layers, nn.SiLU()).to(memory_format=torch.channels_last)


def small_step(network: nn.Module, image: Tensor) -> None:
    features = network(image)
    (features.mean() * (features + image).square().mean()).backward()


def test_kernels_are_those_of_torchs_own_engine() -> None:
    class Names(TorchDispatchMode):
        def __init__(self) -> None:
            super().__init__()
            self.found = Counter[str]()

        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            if not func.is_view and (name := func.overloadpacket.__name__) not in FREE:
                self.found[name] += 1
            return func(*args, **(kwargs or {}))

    network, image = small_network(), torch.rand(2, 4, 8, 8)
    with Names() as expected:
        small_step(network, image)
    network = moved(small_network())
    with pretend_cuda() as (counter, device):
        device.move(network)
        image = torch.rand(2, 4, 8, 8, device="cuda")
        counter.reset()
        small_step(network, image)
    assert Counter(names(counter)) == expected.found


def moved(network: nn.Module) -> nn.Module:
    """Marked as on the device."""
    for value in network.parameters():
        mark(value)
    return network


@pytest.mark.slow
def test_a_compiled_network_has_fewer_kernels_and_the_same_arithmetic() -> None:
    costs: list[tuple[int, float]] = []
    for compiled in (False, True):
        activations = (nn.GELU(), nn.Tanh(), nn.ELU(), nn.Softplus(), nn.Sigmoid())
        network = moved(nn.Sequential(nn.Conv2d(4, 4, 3, padding=1, bias=False), *activations))
        with pretend_cuda() as (counter, device):
            device.move(network)
            image = torch.rand(2, 4, 8, 8, device="cuda")
            counter.reset()
            compiler = FakeCompiler()
            compiler.device, compiler.counter = device, counter
            small_step(compiler(network) if compiled else network, image)
        costs.append((len(counter.kernels), sum(kernel.flops for kernel in counter.kernels)))
    (eager, eager_flops), (fused, fused_flops) = costs
    assert fused < eager
    assert fused_flops == eager_flops > 0


@pytest.mark.slow
def test_casts_of_single_weights_share_kernels_and_the_host_calls_kernels_alone() -> None:
    counts: list[int] = []
    for combined in (False, True):
        network = moved(nn.Sequential(*(nn.Conv2d(4, 4, 3, padding=1) for _ in range(6))))
        with pretend_cuda() as (counter, device):
            device.move(network)
            image = torch.rand(2, 4, 8, 8, device="cuda")
            counter.reset()
            compiler = FakeCompiler()
            compiler.device, compiler.counter = device, counter
            compiled = compiler(network, options={"combo_kernels": combined})
            with torch.autocast("cuda", torch.bfloat16), torch.no_grad():
                compiled(image)
                assert compiler.made == 1
                before = device.operations
                counter.reset()
                compiled(image)
        assert compiler.made == 1
        assert device.operations - before == len(counter.kernels)
        counts.append(len(counter.kernels))
    assert counts[1] <= counts[0] - 6


def test_convolutions_have_the_layout_of_their_inputs() -> None:
    with pretend_cuda():
        weight = torch.rand(8, 4, 3, 3, device="cuda")
        plain = torch.rand(2, 4, 8, 8, device="cuda")
        for image, layout in (
            (plain, torch.contiguous_format),
            (plain.contiguous(memory_format=torch.channels_last), torch.channels_last),
        ):
            assert conv2d(image, weight).is_contiguous(memory_format=layout)


def test_what_is_moved_while_a_task_is_built_is_remembered() -> None:
    with PlacedOnCpu():
        network = nn.Linear(2, 2).to(CUDA)
        values = torch.tensor([1.0, 2.0])
        moved = values.to("cuda")
        assert (moved.device, values.device.type) == (CUDA, "cpu")
        doubled, back = 2 * moved, moved.cpu()
        assert doubled.tolist() == [2.0, 4.0]
    assert [on_cuda(each) for each in (network.weight, moved, doubled, values, back)] == [
        *(True,) * 3,
        *(False,) * 2,
    ]


def test_the_roofline_takes_the_largest_bound() -> None:
    card = CARDS["H100"]
    kernels = [
        Kernel("small", "", 0.0, 64.0, torch.float32),
        Kernel("matmul", "", 989e12, 1.0, torch.bfloat16),
        Kernel("matmul", "", 495e12, 1.0, torch.float32),
        Kernel("add", "", 0.0, 3.35e12, torch.float32),
    ]
    expected = {"launch": 1e3 * LAUNCH, "arithmetic": 2000.0, "memory": 1000.0}
    assert milliseconds(kernels, card) == pytest.approx(expected)
    assert milliseconds(kernels[3:], CARDS["H200"])["memory"] < 1000.0


def test_an_operation_costs_the_host_microseconds() -> None:
    assert 1e-6 < seconds_per_operation() < 1e-3


# --- every task ---------------------------------------------------------------------------------------------

GENERATOR: dict[str, Any] = {"resolution": 16, "latent": 16, "mapping": 1, "channel_base": 256}
ENCODER: dict[str, Any] = {"resolution": 16, "latent": 16, "channel_base": 256}
PLANES: dict[str, Any] = {"channels": 4, "side": 16, "hidden": 8}
LIFTER: dict[str, Any] = {"planes": PLANES, "widths": (8, 16), "render": {"coarse": 4, "fine": 4}}
GAN: dict[str, Any] = {"augment": {"images": 1000}, "r1_every": 1}
VIEWS: dict[str, Any] = {"meshes": "{data}/meshes.npz", "validate_meshes": "{data}/meshes.npz"}

RUNS: dict[str, dict[str, Any]] = {
    "stylegan2": {
        "component": "stylegan2-64",
        "network": GENERATOR,
        "recipe": GAN | {"path_length_every": 1},
        "num_fid_samples": 12,
    },
    "autoencoder": {
        "component": "stylegan2-autoencoder-64",
        "network": GENERATOR,
        "recipe": {"perceptual": 0.0, "adversarial": 0.1, "gan": GAN},
        "num_fid_samples": 12,
    },
    "restorer": {
        "component": "fusion-bfr-restorer-64",
        "network": {"encoder": ENCODER, "generator": GENERATOR, "heads": 2},
        "recipe": {"perceptual": 0.1, "backbone": "vgg19-conv3_1", "adversarial": 0.1, "gan": GAN},
        "prior": None,
        "validate_faces": 2,
    },
    "face-embedder": {"component": "face-embedder", "validate_faces": 2, "batch": 4},
    "lifter": {
        "component": "prior3d-lifter-small",
        "network": LIFTER,
        "recipe": {"side": 32, "perceptual": 0.0},
        **VIEWS,
    },
    "prior": {
        "component": "prior3d-prior-small",
        "network": {
            "denoiser": {
                "components": 12,
                "side": 16,
                "widths": (8, 8, 8),
                "condition": 8,
                "embedding": 16,
            }
        },
        "recipe": {"calibrate": 3},
        "lifter": "{data}/lifter.safetensors",
        **VIEWS,
    },
    "enhancer": {
        "component": "prior3d-enhancer-small",
        "network": {"widths": (8, 8, 16)},
        "recipe": {"perceptual": 0.0},
        "prior": None,
        "unpaired": ["{data}/faces.tar"],
        "prior_size": 16,
        "crop": 32,
        "validate_faces": 2,
    },
}
PAIRED: dict[str, dict[str, Any]] = {
    "lfsrnet": {"lpips": 0.1, "sizes": [{"side": 16, "weight": 1.0}]},
    "lumiface-x4": {
        "method": "lumiface-x4",
        "network": {},
        "recipe": {"camera": {}},
        "sizes": [{"side": 16, "weight": 1.0}],
        "precision": "bf16-mixed",
    },
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, astronaut_uint8: np.ndarray, shared_asset: Find) -> Path:
    """Six crops of 64 pixels in a folder and a tar, their landmarks, and an untrained lifter."""
    shared_asset("canonical_face_model.obj")
    folder = tmp_path_factory.mktemp("step-cost")
    (folder / "faces").mkdir()
    write_crops(astronaut_uint8, folder / "faces", 6, 64)
    files = sorted((folder / "faces").iterdir())
    with tarfile.open(folder / "faces.tar", "w") as archive:
        for file in files:
            buffer = io.BytesIO()
            Image.open(file).save(buffer, "PNG")
            member = tarfile.TarInfo(file.name)
            member.size = buffer.tell()
            archive.addfile(member, io.BytesIO(buffer.getvalue()))
    angles = torch.tensor([[3.0 * number - 6.0, 2.0, 0.0] for number in range(len(files))])
    vertices = canonical_face().vertices.expand(len(files), -1, -1)
    projected = project(vertices, orbit_camera(angles), 64, 64)
    points = torch.cat([projected[..., :2], (projected[..., 2:] - 2.7) * 64 * 4.2647 / 2.7], dim=2)
    FaceMeshes([file.name for file in files], points, torch.ones(len(files))).write(folder / "meshes.npz")
    torch.manual_seed(0)
    lifter: Any = build("prior3d-lifter-small", LIFTER)
    weights: dict[str, Tensor] = lifter.state_dict()
    save_weights(
        folder / "lifter.safetensors", weights, method="prior3d-lifter", config=lifter.config, provenance={}
    )
    return folder


def run_config(name: str) -> RunConfig:
    common: dict[str, Any] = {"batch": 2, "steps": 100, "warmup": 1}
    if name in PAIRED:
        sources = {"train": ["{data}/faces"], "validate_on": "{data}/faces"}
        return paired_config(**(common | sources | PAIRED[name]))
    settings: dict[str, Any] = {"name": "trial", "train": ["{data}/faces.tar"]}
    settings |= {"validate_on": "{data}/faces.tar"} | common | RUNS[name]
    return config_class(settings)(**settings)


def test_every_task_is_measured() -> None:
    assert {type(run_config(name)) for name in RUNS} == {entry.config for entry in BY_COMPONENT.values()}


@pytest.mark.parametrize("name", [*PAIRED, *RUNS])
def test_a_step_does_not_wait_for_the_device(
    name: str, data: Path, shared_asset: Find, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LUMIFACE_ASSETS", str(shared_asset("lpips_squeeze.pt").parent))
    cost = measure_step(run_config(name), str(data), steps=1, log=lambda line: None)
    waits = {f"{wait.kind} {wait.place.split(':')[0]}" for wait in cost.waits}
    assert waits == set(), "\n".join(map(str, cost.waits))
    assert cost.kernels > 100
    assert cost.gflops > 0
    assert cost.step_ms("H100") >= cost.step_ms("H200") > 0
