"""The random numbers of a step: those of NumPy and torch for the same seeds, in a fixed order."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lumiface.core.seeds import StepRandom, seeded_generator


@pytest.mark.parametrize("numbers", [(0, 0), (3, 17), (3, 17, 1), (0, 2**31), (7, 10**6, 5)])
def test_numbers_are_those_of_numpy_and_torch(numbers: tuple[int, ...]) -> None:
    random, rng = StepRandom(*numbers), np.random.default_rng(list(numbers))
    assert random.rng.integers(1000, size=5).tolist() == rng.integers(1000, size=5).tolist()
    for _ in range(2):  # each call takes one more seed from `rng`
        seed = int(rng.integers(2**62))
        generator = random.generator()
        assert generator.initial_seed() == seed
        expected = torch.randn(8, generator=torch.Generator().manual_seed(seed))
        assert torch.equal(torch.randn(8, generator=generator), expected)
    assert random.rng.random() == rng.random()


def test_an_offset_is_added_to_the_seed() -> None:
    seed = StepRandom(1, 2).generator().initial_seed()
    assert StepRandom(1, 2).generator(offset=3).initial_seed() == seed + 3
    assert StepRandom(1, 2).generator("cpu", 3).device == torch.device("cpu")


def test_seed_step_and_rank_give_different_numbers() -> None:
    names = [(0, 0), (0, 1), (1, 0), (0, 0, 1), (0, 1, 1), (1, 1), (0, 0, 2)]
    seeds = [StepRandom(*numbers).generator().initial_seed() for numbers in names]
    assert len(set(seeds)) == len(seeds)
    assert seeds == [StepRandom(*numbers).generator().initial_seed() for numbers in names]
    assert StepRandom(0, 1, 0).generator().initial_seed() == seeds[1]  # the first process, as if alone


def test_a_seeded_generator_depends_on_every_number() -> None:
    names = [(0, 0), (0, 1), (1, 0), (0, 2**31)]
    generators = [seeded_generator(*numbers) for numbers in names]
    assert len({generator.initial_seed() for generator in generators}) == len(names)
    state = np.random.SeedSequence((0, 1)).generate_state(1, np.uint64)
    assert seeded_generator(0, 1).initial_seed() == int(state[0]) >> 1
