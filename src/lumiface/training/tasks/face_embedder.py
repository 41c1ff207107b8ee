"""Training the face embedder by distillation: the teacher sees clean faces, the network damaged ones."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from pydantic import BaseModel, Field
from torch import Tensor, nn
from torch.func import functional_call

from lumiface.core.device import to_device
from lumiface.core.seeds import StepRandom
from lumiface.data.training.cache import cached_tensors
from lumiface.data.training.choose import choose_faces
from lumiface.data.training.face_tensor import resize_faces
from lumiface.losses import IdentityLoss
from lumiface.registry import WorkingSizes, build, build_recipe
from lumiface.training.checkpoint import TrainedOn
from lumiface.training.config import ComponentRun
from lumiface.training.context import StatelessTask, TaskContext
from lumiface.training.task import LossTerms, TrainState
from lumiface.training.tasks.example import Example

CHUNK = 16
"""Faces that the teacher sees at once."""

NUM_PREVIEW = 8


class FaceEmbedderRun(ComponentRun):
    """A run that trains the face embedder."""

    side: int = Field(default=128, ge=112, description="side to which the training faces are reduced, pixels")
    validate_faces: int = Field(default=100, ge=2, description="number of validation faces")


class FaceEmbedderTask(StatelessTask):
    """One network; monitored by the cosine of its embeddings of damaged faces with the teacher's of clean
    ones."""

    monitor = "cosine"
    method = "face-embedder"
    trained_on: TrainedOn = "camera"
    sizes: WorkingSizes | None = None

    def __init__(self, config: FaceEmbedderRun, context: TaskContext) -> None:
        self.config, self.context = config, context
        torch.manual_seed(config.seed)
        self.embedder: Any = build(config.component, config.network)
        context.init_component(self.embedder, self.method)
        self.networks: Mapping[str, nn.Module] = {"embedder": self.embedder}
        self.model_config: BaseModel = self.embedder.config
        self.recipe: Any = build_recipe(config.component, config.recipe, config.seed)
        faces, targets = zip(*(self._load(source) for source in config.train), strict=True)
        self.faces, self.targets = torch.cat(faces).to(context.device), torch.cat(targets).to(context.device)
        self.held_out, self.held_out_targets = self._load(config.validate_on, config.validate_faces)
        self.num_samples = len(self.faces)
        context.log(f"{self.num_samples} faces")

    def _load(self, source: str, limit: int | None = None) -> tuple[Tensor, Tensor]:
        """Faces (N, 3, S, S) uint8, and the teacher's embeddings (N, 2, D) of each and its mirror image."""
        faces, config = self.context.face_tensor([source], limit=limit), self.config
        digest = hashlib.sha256(faces.numpy().data).hexdigest()[:32]
        embeddings = cached_tensors("teacher", digest, lambda: self._teach(faces))["embeddings"]
        return resize_faces(faces, config.side), embeddings

    @torch.inference_mode()
    def _teach(self, faces: Tensor) -> dict[str, Tensor]:
        teacher, device = self.context.place(IdentityLoss()), self.context.device
        self.context.log(f"the teacher's embeddings of {len(faces)} faces")
        parts: list[Tensor] = []
        for chunk in faces.split(CHUNK):
            pictures = chunk.to(device).float() / 255.0
            parts.append(
                torch.stack([teacher.embed(pictures), teacher.embed(pictures.flip(-1))], dim=1).cpu()
            )
        return {"embeddings": torch.cat(parts)}

    def optimizer(self, name: str, device: torch.device) -> torch.optim.Optimizer:
        return torch.optim.AdamW(
            self.embedder.parameters(), lr=self.config.lr, weight_decay=0.01, fused=device.type == "cuda"
        )

    def training_steps(self, state: TrainState, step: int) -> Iterator[LossTerms]:
        count = self.context.per_rank_batch(self.config.batch)
        random = StepRandom(self.config.seed, step, self.context.rank)
        chosen = torch.from_numpy(choose_faces(random.rng, self.num_samples, count))
        mirrored = torch.from_numpy(random.rng.random(count) < 0.5)
        chosen, mirrored = (to_device(part, self.faces.device) for part in (chosen, mirrored))
        faces = self.faces[chosen].float() / 255.0
        faces = torch.where(mirrored[:, None, None, None], faces.flip(-1), faces)
        target = self.targets[chosen, mirrored.long()].float()
        crops = self.recipe.degrade(faces, random.generator(self.context.device))
        output = state.models["embedder"](crops.contiguous(memory_format=torch.channels_last))
        yield LossTerms("embedder", self.recipe(output, target), count)

    @torch.inference_mode()
    def validate(self, state: TrainState) -> tuple[float, Tensor]:
        """Mean cosine of the EMA network with the teacher; images: damaged, clean and mirrored crops."""
        faces = self.held_out.to(self.context.device).float() / 255.0
        crops = self.recipe.degrade(faces, StepRandom(self.config.seed, 0).generator(faces.device))
        self.embedder.eval()
        output = functional_call(self.embedder, state.ema["embedder"].weights, (crops,))
        self.embedder.train()
        cosines = (output.cpu() * self.held_out_targets[:, 0]).sum(dim=1)
        shown = torch.linspace(0, len(faces) - 1, min(NUM_PREVIEW, len(faces))).long()
        clean = self.recipe.clean(faces[shown])
        return float(cosines.mean()), torch.cat([crops[shown], clean, clean.flip(-1)]).cpu()

    def weights(self, state: TrainState) -> dict[str, Tensor]:
        return state.ema["embedder"].weights


def example(config: FaceEmbedderRun, network: Any) -> Example:
    """One crop of a face."""
    return Example((torch.zeros(1, 3, 112, 112),), "embedding one face")
