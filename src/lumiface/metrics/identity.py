"""Identity: whether the output's face is still the same person, by the cosine of face embeddings.

Both faces are cropped by the landmarks of the target, so that the score depends on the face and not on the
detector. Backbones: EdgeFace-XXS (George et al., IEEE TBIOM 2024; timm's EdgeNeXt-XX-small with 512 outputs)
for scores, and MobileFaceNet (`blocks.mobilefacenet`) for losses: a score is biased by a network that was
used in training. Scores of the two are not comparable: name the backbone.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lumiface.blocks.mobilefacenet import DEVIATION, MEAN, trained_mobilefacenet
from lumiface.core.assets import find_asset
from lumiface.core.errors import AssetMissing, SettingError
from lumiface.core.shapes import require_same_pictures
from lumiface.faces.align import crop_face, similarity_transform
from lumiface.metrics.landmarks import TargetFaces

Backbone = Literal["edgeface", "mobilefacenet"]

SIDE = 112
"""Pixels per side of the crops that the networks receive."""

# Left eye, right eye, nose, left and right mouth corner in such a crop: the template of ArcFace (Deng et al.
# 2019), whose origin is the centre of the first pixel; the origin here is its edge.
_ARCFACE = (
    (38.2946, 51.6963),
    (73.5318, 51.5014),
    (56.0252, 71.7366),
    (41.5493, 92.3655),
    (70.7299, 92.2041),
)


class Identity(nn.Module):
    """Face embeddings of unit length, whose cosine measures whether two faces are the same person.

    Colour space: sRGB-encoded RGB. Crop: 112x112 by five points, ArcFace's template. Parameters are frozen;
    the gradient flows to the pictures.

    Args:
        backbone: "edgeface" (512 dimensions, needs timm) or "mobilefacenet" (128).

    Attributes:
        name: "identity_edgeface" or "identity_mobilefacenet".

    Raises:
        SettingError: unknown backbone.
        AssetMissing: its weights, or timm, are not on this machine.
    """

    def __init__(self, backbone: Backbone = "edgeface") -> None:
        super().__init__()
        if backbone not in ("edgeface", "mobilefacenet"):
            raise SettingError(f"identity has no backbone {backbone}: choose edgeface or mobilefacenet")
        self.name = f"identity_{backbone}"
        if backbone == "edgeface":
            self.network, mean, deviation = _edgeface(), (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)
        else:
            self.network, mean, deviation = trained_mobilefacenet(), MEAN, DEVIATION
        self.mean = nn.Buffer(torch.tensor(mean)[:, None, None], persistent=False)
        self.deviation = nn.Buffer(torch.tensor(deviation)[:, None, None], persistent=False)
        self.requires_grad_(False)
        self.eval()

    def forward(self, pictures: Tensor, index: Tensor, points: Tensor) -> Tensor:
        """Embeddings of faces given by their landmarks.

        Args:
            pictures: (B, 3, H, W), RGB in [0, 1].
            index: (N,) int64, the picture of each face.
            points: (N, 5, 2), x, y in pixels, as `faces.Face.landmarks`.

        Returns:
            (N, D), unit length.
        """
        template = (torch.tensor(_ARCFACE, dtype=torch.float64) + 0.5) / SIDE
        crops = [
            crop_face(pictures[picture : picture + 1], similarity_transform(landmarks, template), SIDE)
            for picture, landmarks in zip(index.tolist(), points.cpu(), strict=True)
        ]
        return self.embed(torch.cat(crops) if crops else pictures.new_zeros(0, 3, SIDE, SIDE))

    def embed(self, crops: Tensor) -> Tensor:
        """(N, 3, 112, 112), aligned faces, RGB in [0, 1] -> (N, D), unit length.

        Raises:
            ValueError: another size.
        """
        if crops.shape[1:] != (3, SIDE, SIDE):
            raise ValueError(f"aligned faces must be (N, 3, {SIDE}, {SIDE}), got {tuple(crops.shape)}")
        return F.normalize(self.network((crops - self.mean) / self.deviation))


def identity_similarity(outputs: Tensor, targets: Tensor, faces: TargetFaces, identity: Identity) -> Tensor:
    r"""Cosine of the main face's embeddings, :math:`\langle e(S), e(H) \rangle`, -1 to 1; higher is better.

    Two different people have 0.03 on average, with a standard deviation of 0.1; equal pictures have 1.

    Args:
        outputs: (B, 3, H, W), RGB in [0, 1].
        targets: (B, 3, H, W), RGB in [0, 1].
        faces: from `metrics.landmarks.find_target_faces` of the targets; positions of both crops.
        identity: on the pictures' device.

    Returns:
        (B,) float32, NaN where the target has no face.

    Raises:
        ValueError: the shapes differ.
    """
    require_same_pictures(outputs, targets)
    if targets.shape != faces.pictures:
        raise ValueError(f"faces were detected in {tuple(faces.pictures)}, not in {tuple(targets.shape)}")
    cosines = outputs.new_full((len(outputs),), torch.nan)
    if len(faces.index):
        output, target = (identity(pictures, faces.index, faces.points) for pictures in (outputs, targets))
        cosines[faces.index] = (output * target).sum(dim=1)
    return cosines


def _edgeface() -> nn.Module:
    weights = torch.load(find_asset("edgeface_xxs"), map_location="cpu", weights_only=True)
    try:
        import timm
    except ModuleNotFoundError as error:
        raise AssetMissing("identity with EdgeFace needs timm: pip install 'lumiface[metrics]'") from error
    network: nn.Module = timm.create_model("edgenext_xx_small", num_classes=512)
    network.load_state_dict({name.removeprefix("model."): value for name, value in weights.items()})
    return network
