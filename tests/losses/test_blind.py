"""The losses of blind restoration: features before activation, identity, spectra at every scale."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from helpers import Find, rand
from lumiface.faces.align import TEMPLATE, crop_face, face_matrix, similarity_transform
from lumiface.faces.detectors.detect import FaceDetector
from lumiface.faces.find import find_faces
from lumiface.losses import (
    IdentityLoss,
    MRFRLoss,
    VGG19Features,
    VGG19Loss,
    identity_loss,
    mrfr_loss,
    perceptual_loss,
    pre_activation_loss,
)
from lumiface.losses.identity import BOX
from lumiface.metrics.identity import _ARCFACE, SIDE, Identity

LISTED = (mrfr_loss, pre_activation_loss)


def double(*shape: int, seed: int = 0) -> Tensor:
    return rand(*shape, seed=seed).double()


@pytest.mark.parametrize("loss", LISTED)
def test_gradients_of_losses_over_scales(loss) -> None:
    target = [double(2, 3, 4, 6), double(2, 5, 3, 3)]
    output = [double(2, 3, 4, 6, seed=1).requires_grad_(), double(2, 5, 3, 3, seed=2).requires_grad_()]
    assert torch.autograd.gradcheck(lambda *features: loss(list(features), target), output)
    assert loss(target, target) == 0


def test_gradient_of_identity() -> None:
    embeddings = (double(3, 8).requires_grad_(), double(3, 8, seed=1))
    assert torch.autograd.gradcheck(identity_loss, embeddings)
    with pytest.raises(ValueError, match="against"):
        identity_loss(rand(3, 8), rand(1, 8))


@pytest.mark.parametrize("loss", LISTED)
def test_features_of_different_shapes_are_refused(loss) -> None:
    for output in ([], [rand(1, 3, 4, 4)], [rand(1, 3, 4, 4), rand(1, 5, 2, 2)]):
        with pytest.raises(ValueError, match="against"):
            loss(output, [rand(1, 3, 4, 4), rand(1, 4, 2, 2)])
    with pytest.raises(ValueError, match="against"):
        loss([], [])


def test_losses_on_bf16_features_are_float32() -> None:
    """As under autocast; a sum in bf16 would have two to three digits."""
    torch.manual_seed(0)
    one, other = rand(2, 3, 16, 16), rand(2, 3, 16, 16, seed=1)
    network = VGG19Loss("vgg19-conv3_1", weights=False)
    with torch.autocast("cpu", torch.bfloat16):
        reduced = network(one, other)
    assert reduced.dtype == torch.float32
    assert reduced.item() == pytest.approx(network(one, other).item(), rel=0.01)
    assert reduced.bfloat16() != reduced
    for loss in (*LISTED, perceptual_loss):
        assert loss([one.bfloat16()], [other.bfloat16()]).dtype == torch.float32


def test_mrfr_is_the_sum_over_scales_of_full_spectra() -> None:
    one = [double(2, 3, 8, 8), double(2, 5, 5, 4)]
    other = [double(2, 3, 8, 8, seed=1), double(2, 5, 5, 4, seed=2)]
    expected = sum(
        (torch.fft.fft2(a, norm="ortho") - torch.fft.fft2(b, norm="ortho")).abs().mean()
        for a, b in zip(one, other, strict=True)
    )
    torch.testing.assert_close(mrfr_loss(one, other, "scale"), expected)
    assert MRFRLoss("scale")(one, other) == mrfr_loss(one, other, "scale")


def test_mrfr_by_default_divides_by_the_cumulative_number_of_maps() -> None:
    one, other = [double(1, 3, 8, 8), double(1, 5, 4, 4)], [torch.zeros(1, 3, 8, 8), torch.zeros(1, 5, 4, 4)]
    other = [maps.double() for maps in other]
    first, second = (
        mrfr_loss([a], [b], "scale") for a, b in zip(one, other, strict=True)
    )  # means over 3 and over 5 maps
    torch.testing.assert_close(mrfr_loss(one, other), first + second * 5.0 / 8.0)


def test_vgg_19_equals_torchvisions_before_the_activations() -> None:
    vgg19 = pytest.importorskip("torchvision").models.vgg19(weights=None).features.eval()
    network = VGG19Features("vgg19", weights=False)
    network.layers.load_state_dict({name: vgg19.state_dict()[name] for name in network.layers.state_dict()})
    image = rand(1, 3, 32, 32)
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    features = (image - mean[:, None, None]) / deviation[:, None, None]
    expected: list[Tensor] = []
    for index, layer in enumerate(vgg19[:31]):
        features = layer(features.clone())  # torchvision's activations work in place
        if index in (2, 7, 12, 21, 30):  # conv1_2, conv2_2, conv3_2, conv4_2, conv5_2
            expected.append(features)
    for output, target in zip(network(image), expected, strict=True):
        torch.testing.assert_close(output, target)
        assert output.min() < 0  # before the activation


def test_the_normalised_network_has_three_layers(shared_asset: Find, monkeypatch: pytest.MonkeyPatch) -> None:
    asset = shared_asset("vgg_normalised_conv3_1.pth")
    monkeypatch.setenv("LUMIFACE_ASSETS", str(asset.parent))
    loss = VGG19Loss("vgg19-conv3_1")
    output, target = rand(2, 3, 32, 32).requires_grad_(), rand(2, 3, 32, 32, seed=1)
    features = loss.features(target)
    assert [layer.shape[1:] for layer in features] == [(64, 32, 32), (128, 16, 16), (256, 8, 8)]
    assert all(layer.min() < 0 for layer in features)
    loss(output, target).backward()
    assert output.grad is not None
    assert output.grad.abs().max() > 0
    assert all(parameter.grad is None for parameter in loss.parameters())
    assert loss(target, target) == 0


def test_the_identity_crop_is_arcfaces() -> None:
    # In a face aligned as in FFHQ the box must equal ArcFace's template, to 1/100.
    template = (torch.tensor(_ARCFACE, dtype=torch.float64) + 0.5) / SIDE
    matrix = similarity_transform(template, torch.tensor(TEMPLATE, dtype=torch.float64))
    corners = torch.tensor([[0.0, 0.0], [1.0, 1.0]], dtype=torch.float64) @ matrix[:, :2].T + matrix[:, 2]
    assert corners.flatten().tolist() == pytest.approx(BOX, abs=0.01)


def test_identity_separates_people(
    shared_asset: Find, monkeypatch: pytest.MonkeyPatch, astronaut_uint8
) -> None:
    monkeypatch.setenv("LUMIFACE_ASSETS", str(shared_asset("mobilefacenet.pt").parent))
    photo = torch.from_numpy(astronaut_uint8.copy()).permute(2, 0, 1)[None].float() / 255.0
    (face,) = find_faces(photo, FaceDetector().eval(), which="largest")
    aligned = crop_face(photo, face_matrix(face), 128)
    loss = IdentityLoss().train()
    embedding = loss.embed(aligned)
    # The metric crops by this face's landmarks, the loss by the mean face's: nearly the same crop.
    reference = Identity("mobilefacenet")(photo, torch.tensor([0]), torch.tensor(face.landmarks)[None])
    assert float((embedding * reference).sum()) > 0.9
    assert loss(aligned, aligned) == 0  # in training mode, too: its batch norms are not trained
    dark, noise = loss(aligned * 0.7, aligned), loss(rand(1, 3, 128, 128), aligned)
    assert 0 < dark < 0.5 * noise
