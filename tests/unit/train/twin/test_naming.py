"""Naming: linear maps that tell what is seen, which the structure helps and the dynamics hinder."""

import torch

from tubelet.data.scenes import Scene
from tubelet.data.scenes.parts import Appearance, Thing
from tubelet.models.twin.config import TwinConfig
from tubelet.train.twin.naming import LABELS, UNASKED, Naming, labels_of, sureness, surprise

PARTS = TwinConfig(name="tiny", structure=4, dynamics=2, features=6).build().parts
CLIPS = 64


def drawn(seed):
    """Latents of clips, and labels that nothing in them tells."""
    generator = torch.Generator().manual_seed(seed)
    sizes = {"structure": (3, 4, 4), "rows": (12, 8, 1), "columns": (12, 1, 8)}
    latents = {
        part.name: torch.randn(CLIPS, part.channels, *sizes[part.name], generator=generator) for part in PARTS
    }
    labels = [torch.randint(len(names), (CLIPS,), generator=generator) for names in LABELS]
    return latents, torch.stack(labels, dim=1)


def marked(latent, labels):
    """The first channel of one place, another in each clip, far out for one colour of ten."""
    latent = latent.clone()
    places = latent[:, 0].flatten(1)
    places[torch.arange(CLIPS), torch.arange(CLIPS) % places.shape[1]] = 8 * (labels[:, 0] == 0).float()
    latent[:, 0] = places.view_as(latent[:, 0])
    return latent


def surprises(naming, latents, labels):
    return naming.of_structure(latents["structure"], labels), naming.of_dynamics(latents, labels)


def fitted(latents, labels, iterations=60):
    naming = Naming(PARTS)
    optimizer = torch.optim.AdamW(naming.parameters(), lr=1e-3)
    first = last = None
    for _ in range(iterations):
        optimizer.zero_grad()
        last = surprises(naming, latents, labels)
        first = first or [each.item() for each in last]
        sum(last).backward()
        optimizer.step()
    return naming, first, [each.item() for each in last]


def test_labels_are_the_colour_and_the_shape_of_the_thing():
    square = Scene(things=(Thing(appearance=Appearance(name="square", colour="green")),))
    letter = Scene(things=(Thing(appearance=Appearance(kind="letter", name="B", colour="black")),))
    assert labels_of([square, letter]).tolist() == [[3, 1], [9, UNASKED]]
    assert labels_of([]).shape == (0, 2)


def test_what_stands_at_any_place_is_found():
    latents, labels = drawn(0)
    _, first, marked_last = fitted(latents | {"structure": marked(latents["structure"], labels)}, labels)
    _, _, last = fitted(latents, labels)
    assert marked_last[0] < last[0] - 0.1
    assert max(last) < max(first)


def test_the_mean_of_a_row_of_a_window_tells_too():
    def of_rows(seed, mark):
        latents, labels = drawn(seed)
        latents["rows"][:, 1, :, 3] += mark * (labels[:, 0] % 2).float()[:, None, None]
        return latents, labels

    surprised = []
    for mark in (0.0, 6.0):
        naming, _, _ = fitted(*of_rows(4, mark), iterations=12)
        latents, labels = of_rows(6, mark)
        _, windows = naming.answers_of_dynamics(latents, frozen=True)
        surprised.append(float(surprise(windows, labels)))
    assert surprised[1] < surprised[0] - 0.1


def test_the_structure_is_led_to_tell():
    latents, labels = drawn(1)
    naming, _, _ = fitted(latents, labels)
    leaves = {name: latent.clone().requires_grad_() for name, latent in latents.items()}
    before = surprises(naming, leaves, labels)
    sum(before).backward()
    moved = {name: leaf.detach() - 0.05 * leaf.grad for name, leaf in leaves.items()}
    after = surprises(naming, moved, labels)
    assert after[0] < before[0]
    assert after[1] != before[1]


def test_the_maps_learn_to_tell_and_the_latents_to_leave_them_in_doubt():
    latents, labels = drawn(5)
    naming, _, _ = fitted(latents, labels)
    leaf = latents["rows"].clone().requires_grad_()

    def doubt(rows):
        each = naming.answers_of_dynamics(latents | {"rows": rows}, frozen=True)
        return sum(float(sureness(answers).detach()) for answers in each)

    naming.zero_grad()
    naming.of_dynamics(latents | {"rows": leaf}, labels).backward()
    assert leaf.grad is not None
    assert doubt(leaf.detach() - 0.1 * leaf.grad) < doubt(leaf)
    learnt = {
        name: weights.grad.clone() for name, weights in naming.named_parameters() if weights.grad is not None
    }
    naming.zero_grad()
    told = naming.answers_of_dynamics(latents, frozen=False)
    torch.stack([surprise(answers, labels) for answers in told]).sum().backward()
    for name, weights in naming.named_parameters():
        if name in learnt:
            torch.testing.assert_close(weights.grad, learnt[name])


def test_nothing_is_as_doubtful_as_equal_answers():
    flat, sure = torch.zeros(3, 4, sum(map(len, LABELS))), torch.zeros(3, 4, sum(map(len, LABELS)))
    sure[:, :, 0] = 9.0
    assert sureness(flat).abs() < 1e-5 < sureness(sure)


def test_a_letter_is_not_asked_for_its_shape():
    latents, labels = drawn(2)
    naming, _, _ = fitted(latents, labels)
    unasked = labels.clone()
    unasked[1::2, 1] = UNASKED
    wrong = labels.clone()
    wrong[1::2, 1] = (labels[1::2, 1] + 1) % len(LABELS[1])
    colour_alone = labels.clone()
    colour_alone[:, 1] = UNASKED
    structure = latents["structure"]
    colours = naming.of_structure(structure, colour_alone)
    shapes = naming.of_structure(structure[::2], labels[::2]) - naming.of_structure(
        structure[::2], colour_alone[::2]
    )
    assert torch.isclose(naming.of_structure(structure, unasked), colours + shapes, atol=1e-4)
    said = [naming.of_structure(structure, each) for each in (wrong, labels)]
    assert not torch.isclose(*said, atol=1e-4)


def test_without_rendered_clips_nothing_is_told():
    naming = Naming(PARTS)
    latents, labels = drawn(3)
    none = surprises(naming, {name: latent[:0] for name, latent in latents.items()}, labels[:0])
    assert [each.item() for each in none] == [0.0, 0.0]
