"""The measures of the study of trust, against values worked out by hand."""

from __future__ import annotations

import pytest
import torch

from helpers import rand
from lumiface.evaluation.studies.trust import KnownFace, auc, dimmed, spearman, split_pairs
from lumiface.faces.measure import face_light


def test_auc_is_the_chance_to_be_above() -> None:
    assert auc(torch.tensor([2.0, 3.0]), torch.tensor([0.0, 1.0])) == 1.0
    assert auc(torch.tensor([0.0]), torch.tensor([1.0])) == 0.0
    assert auc(torch.tensor([1.0, 0.0]), torch.tensor([1.0])) == 0.25  # a tie counts half


def test_spearman_sees_order_alone() -> None:
    values = rand(50)
    assert spearman(values, values.exp()) == pytest.approx(1.0)
    assert spearman(values, -(values**3)) == pytest.approx(-1.0)


def test_pairs_of_one_person_stand_on_the_diagonal() -> None:
    one = torch.eye(3)
    same, different = split_pairs(one, one)
    assert same.tolist() == [1.0] * 3
    assert different.tolist() == [0.0] * 6


def test_faces_are_dimmed_by_what_was_asked() -> None:
    known = KnownFace("a.png", torch.zeros(1), rand(1, 3, 64, 64))
    dark = dimmed(known, 32, 0.25, 0.0)
    assert dark.photograph.shape == (1, 3, 32, 32)
    assert face_light(dark.photograph) == pytest.approx(0.25 * face_light(known.truth), rel=0.15)
    assert torch.equal(dark.photograph, dimmed(known, 32, 0.25, 0.0).photograph)
    soft = dimmed(known, 32, 1.0, 3.0).photograph
    assert float(soft.std()) < 0.5 * float(dimmed(known, 32, 1.0, 0.0).photograph.std())
