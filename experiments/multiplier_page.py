"""Make docs/multiplier.md of stored figures of `multiplier.py`: `python experiments/multiplier_page.py`.

Nothing is measured here, and nothing is said that the figures do not hold: what is missing is named.
"""

import argparse
import json
from itertools import combinations
from pathlib import Path
from statistics import fmean, median
from typing import Any

from tubelet.files import replacing

RESULTS = Path(__file__).parent / "results"
PAGE = Path(__file__).parents[1] / "docs" / "multiplier.md"

ABSENT = "-"

BEGIN = """\
# What a tokenizer is worth to a generator

Made by `python experiments/multiplier_page.py` from `experiments/results/multiplier.json`, not by hand.
`make multiplier MINUTES=60` trains, evaluates and writes both; it goes on where it stopped.

Does the same generator make better video with a better tokenizer? A diffusion transformer (for tokens an
autoregressive one), equal iterations, equal clips, equal numbers per pixel (except tokens), seeds 0, 1 and 2:
only the tokenizer differs. One arm has a decoder that was made worse on purpose, by normal noise of three
quarters of the deviation of each of its matrices: its latents are those of `tubelet-m16`, so it decodes what
the generator of that arm makes, and what it loses is the decoder's alone.

`tubelet-image` has a latent step for every frame, where the others have one for the first and one for every
four: at equal numbers per pixel the same transformer works on about three times as many positions of a
quarter of the channels, and an iteration takes longer.

Two arms have tokenizers that do not ship: a VAE, and one that was trained to be equivariant. Each was trained
for a quarter of an hour of a third of a core from `tubelet-m16` on, by the recipes `m16_vae` and
`m16_equivariant` with `--seed 41`, and added by `--also tubelet-m16-vae=FOLDER`. So were, in the recipe for
tokens, LFQ and VQ: each by its recipe with `--seed 61` in half an hour of a quarter of a core, where
`tubelet-fsq` had hours. So that part says what such tokens are worth, and not which quantiser is better.
"""

LATENTS = """\
## The latents themselves

On rendered scenes that nothing was trained on (`experiments/latent_diagnostics.py`, which says how each
figure is measured). dB are PSNR. Latents that may be turned, halved or averaged are said to be kind to
generators (arXiv:2502.09509, arXiv:2502.14831); whether that is so here, only the runs can say.
"""

LATENT_ROWS = (
    ("reconstruction, dB", "psnr_db", 2),
    ("shape read right after it, %", "right_shape", -1),
    ("mirrored, dB", "mirrored_db", 2),
    ("upside down, dB", "upside_down_db", 2),
    ("half size, dB", "half_size_db", 2),
    ("small frames themselves, dB", "half_size_itself_db", 2),
    ("interpolated, dB", "interpolated_db", 2),
    ("mean of both videos, dB", "faded_db", 2),
    ("high frequencies, % of energy", "high_frequencies", -1),
    ("four frames later from now, % of variance", "next_step_linear", -1),
    ("four frames later as now, % of variance", "next_step_copied", -1),
)
"""Titles, names in the results, and decimals; -1 stands for percent with one decimal."""

RUNS = """\
## The generators

Right answers in percent on prompts of combinations that training shows / holds back, read from the pixels by
rules ([generators](guides/generate.md)), at the last iteration that was evaluated. *Ceiling* is the same of
the scenes through the tokenizer; it is no bound, because a generator may draw things as the tokenizer keeps
them best.
"""

ANSWERS = ("colour", "shape", "direction", "speed", "all")

SCORED = ANSWERS[:4]
"""What the ranking is made of."""

COURSE = """\
Right answers on the way, in percent, mean of colour, shape, direction and speed over all prompts of both
kinds, and of the seeds that were evaluated there; in brackets the seconds of training until then, the median
of the seeds, on a core that others used too:
"""


NOTHING = """\
Nothing about generators follows yet: fewer than two arms have three finished seeds. Runs that are on the way
are at unequal iterations, and a seed or two say nothing about a few points.
"""

SO_FAR = "What seeds show that all begun arms have finished, which is no ranking:"

LIMITS = """\
### What does not follow

The figures of latents say how each tokenizer stands to symmetries, sizes and time. They do not say that a
generator learns one of them better. Equal iterations are not equal computation: compare the seconds above.
Runs this short say which latents are learned sooner, by a transformer this small, of things this simple. One
learning rate is used for all arms, and was chosen by short runs on `tubelet-m16`.
"""


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--results", type=Path, nargs="+", metavar="FILE", help="default: all there are")
    parser.add_argument("--page", type=Path, default=PAGE, metavar="FILE")
    arguments = parser.parse_args()
    files = arguments.results or sorted(RESULTS.glob("multiplier*.json"), key=lambda file: len(file.name))
    figures = [json.loads(file.read_text(encoding="utf-8"))["figures"] for file in files]
    with replacing(arguments.page, force=True) as beside:
        beside.write_text(page(*figures), encoding="utf-8")
    print(arguments.page)


def page(*results: dict[str, Any]) -> str:
    """The text of the page, of the results of one recipe or more."""
    arms: dict[str, Any] = {}
    for figures in results:
        arms |= {name: arm for name, arm in figures["arms"].items() if name not in arms}
    blocks = [BEGIN, LATENTS, latent_table(arms), *latent_findings(arms), RUNS]
    for figures in results:
        blocks += generators(figures)
    blocks += ["## What follows, and what does not"]
    for figures in results:
        blocks += conclusions(figures)
    blocks.append(LIMITS)
    return "\n\n".join(block.strip() for block in blocks if block.strip()) + "\n"


def generators(figures: dict[str, Any]) -> list[str]:
    """What the generators of a recipe make."""
    arms, same = figures["arms"], figures["settings"]
    return [
        f"### {heading(same)}",
        recipe(same),
        state(arms, same["iterations"]),
        run_table(arms, same["iterations"]),
        *course(arms),
    ]


def heading(same: dict[str, Any]) -> str:
    """What the parts of the page about a recipe are called."""
    side = f" at {same['side']} x {same['side']}" if "side" in same else ""
    return f"{same['iterations']:,} iterations{side}"


def recipe(same: dict[str, Any]) -> str:
    """What was the same for all arms, where the results say it."""
    if "width" not in same:
        return ""
    return (
        f"Recipe `{same['name']}`: {same['iterations']:,} iterations of {same['batch']} clips, width "
        f"{same['width']}, {same['blocks']} blocks; {same['clips']:,} rendered clips of {same['frames']} "
        f"frames of {same['side']} x {same['side']} at {same['fps']:g} per second, one thing of size "
        f"{' or '.join(same['sizes'])} over {' or '.join(same['grounds'])}; {same['prompts']} prompts of "
        f"each kind, {same['sampling_steps']} Euler steps. `tubelet-dit` has width 256 and 6 blocks, and was "
        "trained for hours."
    )


def state(arms: dict[str, Any], wanted: int) -> str:
    """Which figures there are."""
    whole = {name: len(finished(arm, wanted)) for name, arm in arms.items()}
    begun = {name: sum(bool(points) for points in arm["runs"].values()) for name, arm in arms.items()}
    parts = sum(begun.values()) - sum(whole.values())
    text = (
        f"**What exists today:** {sum(whole.values())} of {3 * len(arms)} runs of {wanted:,} iterations are "
        "finished"
    )
    if parts:
        text += f", {parts} {'is' if parts == 1 else 'are'} on the way"
    text += "."
    if sum(count >= 3 for count in whole.values()) < 2:
        text += " **No ranking of tokenizers follows from that.**"
    return text


def latent_table(arms: dict[str, Any]) -> str:
    """What latents are like: a row for each figure, a column for each arm."""
    rows = [
        [title, *(number(arm["latents"].get(name), decimals) for arm in arms.values())]
        for title, name, decimals in LATENT_ROWS
    ]
    return table(["", *(f"`{name}`" for name in arms)], rows)


def latent_findings(arms: dict[str, Any]) -> list[str]:
    """What the figures of latents say by themselves: the extremes of each."""
    if len(arms) < 2:
        return []
    said = []
    for title, name, decimals in (LATENT_ROWS[0], *LATENT_ROWS[2:5], LATENT_ROWS[6], *LATENT_ROWS[8:10]):
        known = {arm: each["latents"][name] for arm, each in arms.items() if name in each["latents"]}
        if len(known) < 2:
            continue
        most, least = max(known, key=lambda arm: known[arm]), min(known, key=lambda arm: known[arm])
        said.append(
            f"- {title.split(',')[0]}: most `{most}` ({number(known[most], decimals)}), least `{least}` "
            f"({number(known[least], decimals)})"
        )
    return ["\n".join(said)]


def run_table(arms: dict[str, Any], wanted: int) -> str:
    """What generators make: a row for each arm and seed."""
    rows = [
        [f"`{name}`", seed, f"{points[-1]['iteration']:,} of {wanted:,}", *run_cells(points[-1])]
        for name, arm in arms.items()
        for seed, points in sorted(arm["runs"].items())
        if points
    ]
    if not rows:
        return "No run was evaluated yet."
    heads = ["arm", "seed", "iterations", *ANSWERS, "ceiling, all", "flicker, levels", "Fréchet, parsed"]
    return table([*heads, "minutes of training"], rows)


def run_cells(point: dict[str, Any]) -> list[str]:
    """What stands in the row of a run."""
    distances = point["seen"]["distances"]["made"]
    return [
        *(both(point, "right", part) for part in ANSWERS),
        both(point, "ceiling", "all"),
        number(distances["flicker"], 2),
        number(distances["parsed_frechet"], 1),
        f"{point['training_seconds'] / 60:.1f}",
    ]


def course(arms: dict[str, Any]) -> list[str]:
    """How far arms are at each part of their runs at which they were evaluated."""
    reached: dict[str, dict[float, list[dict[str, Any]]]] = {}
    for name, arm in arms.items():
        for points in arm["runs"].values():
            for each in points:
                place = round(each["iteration"] / each["settings"]["iterations"], 2)
                reached.setdefault(name, {}).setdefault(place, []).append(each)
    places = sorted({place for each in reached.values() for place in each})
    if len(places) < 2:
        return []
    rows = [
        [f"`{name}`", *(course_cell(each.get(place, [])) for place in places)]
        for name, each in reached.items()
    ]
    return [COURSE, table(["arm", *(f"{100 * place:.0f} % of the run" for place in places)], rows)]


def course_cell(points: list[dict[str, Any]]) -> str:
    """The mean share of some evaluations, and how many seconds of training it took, in the middle."""
    if not points:
        return ABSENT
    seconds = median(each["training_seconds"] for each in points)
    return f"{number(fmean(map(score, points)), -1)} ({seconds:.0f} s)"


def conclusions(figures: dict[str, Any]) -> list[str]:
    """What the finished runs say of the ranking; plainly nothing where they are too few."""
    arms, wanted = figures["arms"], figures["settings"]["iterations"]
    scores = {name: finished(arm, wanted) for name, arm in arms.items()}
    whole = {name: each for name, each in scores.items() if len(each) >= 3}
    title = f"### After {heading(figures['settings'])}"
    if len(whole) < 2:
        begun = {name: each for name, each in scores.items() if each}
        seeds = common_seeds(begun) if len(begun) > 1 else []
        return [title, NOTHING, *([SO_FAR, by_seed(begun, seeds)] if seeds else [])]
    seeds = common_seeds(whole)
    orders = [order_of(whole, seed) for seed in seeds]
    missing = sorted(scores.keys() - whole.keys())
    rest = f"Without three finished seeds, and so without a place: {names(missing)}." if missing else ""
    means = {name: fmean(each.values()) for name, each in whole.items()}
    listed = ", ".join(
        f"`{name}` {100 * means[name]:.1f} %" for name in sorted(means, key=lambda name: -means[name])
    )
    return [
        title,
        "Ranked by the share of right colours, shapes, directions and speeds over all prompts of both kinds"
        f"{sureness(arms, whole)}. Mean of the seeds: {listed}.",
        by_seed(whole, seeds),
        " ".join([ends(orders), disagreement(arms, whole), rest]),
    ]


def order_of(scores: dict[str, dict[str, float]], seed: str) -> list[str]:
    """The arms with one seed, the best first."""
    return sorted(scores, key=lambda name: -scores[name][seed])


def by_seed(scores: dict[str, dict[str, float]], seeds: list[str]) -> str:
    """A line for each seed: the arms with their shares, the best first."""
    return "\n".join(
        f"- Seed {seed}: "
        + ", ".join(f"`{name}` {100 * scores[name][seed]:.1f} %" for name in order_of(scores, seed))
        for seed in seeds
    )


def ends(orders: list[list[str]]) -> str:
    """Whether the seeds agree on the best and on the worst."""
    best, worst = {order[0] for order in orders}, {order[-1] for order in orders}
    said = [
        f"The {title} is the same with all seeds: `{next(iter(each))}`."
        if len(each) == 1
        else f"The seeds do not agree on the {title}: {names(each)}."
        for title, each in (("best", best), ("worst", worst))
    ]
    return " ".join(said)


def sureness(arms: dict[str, Any], whole: dict[str, dict[str, float]]) -> str:
    """How sure a share is, and what it is by chance."""
    ends = last_points(arms, whole)
    answers = answers_of(arms, whole)
    error = f" ({answers} answers a run: one deviation is {50 / answers**0.5:.1f} points)" if answers else ""
    chance = fmean(score(each, "floor") for each in ends)
    return f"{error}; by the prompts of other clips it is {100 * chance:.1f} %"


def disagreement(arms: dict[str, Any], whole: dict[str, dict[str, float]]) -> str:
    """Pairs of which the one that reconstructs better generates worse, and those that stand as they should.

    Only pairs count that every seed orders in the same way, and whose means differ by more than two
    deviations of that difference.
    """
    quality = {name: arms[name]["latents"]["psnr_db"] for name in whole}
    seeds, answers = common_seeds(whole), answers_of(arms, whole)
    least = 2 * (0.5 / (answers * len(seeds))) ** 0.5 if answers else 0.0
    against, along = [], 0
    for one, other in combinations(sorted(whole, key=lambda name: -quality[name]), 2):
        gains = [whole[one][seed] - whole[other][seed] for seed in seeds]
        sure = abs(fmean(gains)) > least
        along += sure and min(gains) > 0
        if sure and max(gains) < 0:
            against.append(f"`{one}` reconstructs better than `{other}` and generates worse")
    pairs = len(whole) * (len(whole) - 1) // 2
    said = (
        f"Pairs that all seeds order alike and whose means are more than {100 * least:.1f} points apart: of "
        f"{pairs}, {along} {'stands' if along == 1 else 'stand'} as in reconstruction, {len(against)} the "
        "other way round"
    )
    return f"{said}{': ' if against else ''}{'; '.join(against)}."


def last_points(arms: dict[str, Any], whole: dict[str, dict[str, float]]) -> list[dict[str, Any]]:
    """The last evaluation of each run of some arms."""
    return [points[-1] for name in whole for points in arms[name]["runs"].values() if points]


def answers_of(arms: dict[str, Any], whole: dict[str, dict[str, float]]) -> int:
    """How many answers the score of a run is the mean of; 0 where the results do not say it."""
    return 2 * len(SCORED) * max(each["seen"].get("prompts", 0) for each in last_points(arms, whole))


def finished(arm: dict[str, Any], wanted: int) -> dict[str, float]:
    """By seed, the share of right answers at the end of a run."""
    return {
        seed: score(points[-1])
        for seed, points in arm["runs"].items()
        if points and points[-1]["iteration"] == wanted == points[-1]["settings"]["iterations"]
    }


def score(point: dict[str, Any], part: str = "right") -> float:
    """The share of right colours, shapes, directions and speeds, over prompts of both kinds."""
    return fmean(point[kind][part][name] for kind in ("seen", "held-out") for name in SCORED)


def common_seeds(scores: dict[str, dict[str, float]]) -> list[str]:
    """Seeds that all arms have."""
    return sorted(set.intersection(*(set(each) for each in scores.values())))


def both(point: dict[str, Any], part: str, name: str) -> str:
    """A share on seen and on held-out combinations, in percent."""
    return " / ".join(f"{100 * point[kind][part][name]:.0f}" for kind in ("seen", "held-out"))


def number(value: float | None, decimals: int) -> str:
    """A number as text; percent with one decimal for -1."""
    if value is None:
        return ABSENT
    return f"{100 * value:.1f}" if decimals < 0 else f"{value:.{decimals}f}"


def names(arms: set[str] | list[str]) -> str:
    """Names of arms in a sentence."""
    return ", ".join(f"`{name}`" for name in sorted(arms))


def table(heads: list[str], rows: list[list[str]]) -> str:
    """A table in Markdown."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    main()
