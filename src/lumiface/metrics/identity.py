"""Identity: is the face of a result still the same person? The cosine of two networks' embeddings.

The faces are cut out alike in both pictures, by the landmarks of the original, so that the number is that of
the face and not of the detector. Backbones: EdgeFace-XXS (George et al., IEEE TBIOM 2024; timm's
EdgeNeXt-XX-small with 512 outputs) for scores, and MobileFaceNet (`blocks.mobilefacenet`), which is better
left to losses: nobody should be judged by what it was trained on. Their numbers do not compare: name the
backbone.
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
"""Of the crops that the networks see, pixels."""

# Left eye, right eye, nose, left and right mouth corner in such a crop: the template of ArcFace (Deng et al.
# 2019), which counts from the centre of the first pixel; ours count from its edge.
_ARCFACE = (
    (38.2946, 51.6963),
    (73.5318, 51.5014),
    (56.0252, 71.7366),
    (41.5493, 92.3655),
    (70.7299, 92.2041),
)


class Identity(nn.Module):
    """Faces -> vectors of unit length whose cosine tells whether two are the same person.

    Colour space: sRGB-encoded RGB. Crop: 112x112 by five points, ArcFace's template. Parameters are frozen;
    the gradient flows to the pictures.

    Args:
        backbone: "edgeface" (512 numbers, needs timm) or "mobilefacenet" (128).

    Attributes:
        name: "identity_edgeface" or "identity_mobilefacenet".

    Raises:
        SettingError: no such backbone.
        AssetMissing: its weights, or timm, are not on this machine.
    """

    def __init__(self, backbone: Backbone = "edgeface") -> None:
        super().__init__()
        if backbone not in ("edgeface", "mobilefacenet"):
            raise SettingError(f"no identity by {backbone}: choose edgeface or mobilefacenet")
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
        """Embeddings of faces that are pointed out.

        Args:
            pictures: (B, 3, H, W), RGB in [0, 1].
            index: (N,) int64, in which picture each face is.
            points: (N, 5, 2), x, y in pixels, as `faces.Face.landmarks`.

        Returns:
            (N, D), unit length.
        """
        template = (torch.tensor(_ARCFACE, dtype=torch.float64) + 0.5) / SIDE
        crops = [
            crop_face(pictures[picture : picture + 1], similarity_transform(place, template), SIDE)
            for picture, place in zip(index.tolist(), points.cpu(), strict=True)
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

    Two different people give 0.03 on average, with a deviation of 0.1; the same picture gives 1.

    Args:
        outputs: (B, 3, H, W), RGB in [0, 1].
        targets: (B, 3, H, W), RGB in [0, 1].
        faces: what `metrics.landmarks.find_target_faces` found in the targets; it places both crops.
        identity: on the pictures' device.

    Returns:
        (B,) float32, NaN where the target has no face.

    Raises:
        ValueError: the shapes differ.
    """
    require_same_pictures(outputs, targets)
    if targets.shape != faces.pictures:
        raise ValueError(f"faces were found in {tuple(faces.pictures)}, not in {tuple(targets.shape)}")
    cosines = outputs.new_full((len(outputs),), torch.nan)
    if len(faces.index):
        ours, theirs = (identity(pictures, faces.index, faces.points) for pictures in (outputs, targets))
        cosines[faces.index] = (ours * theirs).sum(dim=1)
    return cosines


def _edgeface() -> nn.Module:
    weights = torch.load(find_asset("edgeface_xxs"), map_location="cpu", weights_only=True)
    try:
        import timm
    except ModuleNotFoundError as error:
        raise AssetMissing("identity by EdgeFace needs timm: pip install 'lumiface[metrics]'") from error
    network: nn.Module = timm.create_model("edgenext_xx_small", num_classes=512)
    network.load_state_dict({name.removeprefix("model."): value for name, value in weights.items()})
    return network
