"""The card of a fitted tokenizer: what it is, what it was made from, and how to make it again."""

from tubelet.models.klt.config import KLTConfig
from tubelet.models.klt.gate import KNOTS
from tubelet.models.levels.config import LevelsConfig
from tubelet.models.motion.config import MotionConfig
from tubelet.tokenizers.clip import main_part
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.train.tokenizer.fit_gate import FittedGate
from tubelet.train.tokenizer.fit_klt import Sampling, klt_model


def klt_card(tokenizer: ContinuousTokenizer, *, clips: int, sampling: Sampling, made_by: str) -> str:
    """Write the card of a linear tokenizer as Markdown."""
    stride, config = tokenizer.stride, tokenizer.config
    assert isinstance(config, KLTConfig | MotionConfig)
    numbers = 3 * stride.t * stride.h * stride.w
    variances = tokenizer.model.pixel_units()[main_part(tokenizer.parts).name].square()
    sides = ", ".join("own size" if side is None else f"short side {side}" for side in sampling.short_sides)
    way = "Karhunen-Loève transform of"
    if isinstance(config, MotionConfig):
        way, levels = f"{way} motion-compensated", str(config.patch)
    else:
        levels = " then ".join(str(patch) for patch in config.patches)
    shares = "\n".join(
        f"| {kept} | {numbers / kept:.0f}:1 | {float(variances[:kept].sum() / variances.sum()):.2%} |"
        for kept in (4, 8, 16, 32, 48, 64, 128, 256)
        if kept <= config.channels
    )
    return f"""# {config.name}

A linear tokenizer: the {way} {stride} patches (frames x rows x columns) of RGB video,
{config.channels} ordered channels of zero mean and unit variance. Levels: {levels}.

- **Made by** `{made_by}`
- **From** {clips} clips, each counting the same: {sampling.runs} places per clip, {sampling.patches} patches
  per place, at each of these sizes: {sides}; seed {sampling.seed}; covariance in float64.
- **Lead frame** {"yes" if config.lead_frame else "no"}: by default the first frame is a group of its own.
- **Quality**: measure it with `tubelet evaluate CLIPS --with {config.name} -o figures`.

| channels | numbers in : numbers out | share of the variance of all {config.channels} channels |
|---|---|---|
{shares}
"""


def levels_card(tokenizer: ContinuousTokenizer, *, clips: int, sampling: Sampling, made_by: str) -> str:
    """Write the card of a global and a detail part as Markdown."""
    config = tokenizer.config
    assert isinstance(config, LevelsConfig)
    whole, detail = tokenizer.parts
    variances = tokenizer.model.pixel_units()[whole.name].square()
    numbers = 3 * whole.stride.t * whole.stride.h * whole.stride.w
    shares = "\n".join(
        f"| {kept} | {numbers / kept:.0f}:1 | {float(variances[:kept].sum() / variances.sum()):.2%} |"
        for kept in (16, 32, 64, 128, 256)
        if kept <= whole.channels
    )
    seen, base = config.seen, config.base.name
    return f"""# {config.name}

The latent of {base} in two parts of zero mean and unit variance: {whole.channels} ordered channels of
`{whole.name}` ({whole.stride}), the Karhunen-Loève transform of blocks of its first {seen} channels, and
{detail.channels} of `{detail.name}` ({detail.stride}), what the global part does not say. Both together
decode to what {base} gives. Without any detail its decoder shows the global part, and a flow adds texture.

- **Made by** `{made_by}`
- **From** {clips} clips, each counting the same: {sampling.runs} places per clip; seed {sampling.seed};
  covariance in float64.
- **Lead frame** {"yes" if config.lead_frame else "no"}: by default the first frame is a group of its own.
- **Quality**: measure it with `tubelet evaluate CLIPS --with {config.name} -o figures`.

| channels of `{whole.name}` | numbers in : numbers out, alone | share of the variance of all of them |
|---|---|---|
{shares}
"""


def gate_card(card: str, fitted: FittedGate, *, made_by: str, clips: int, windows: int) -> str:
    """The card of a tokenizer, and what was fitted to it since."""
    gate = klt_model(fitted.tokenizer).gate
    assert gate is not None, "it was just fitted"
    heads = " | ".join(f"{2**knot:g}" for knot in KNOTS)
    table: list[float] = gate.table.tolist()
    shares = " | ".join(f"{share:.2f}" for share in table)
    return f"""{card.rstrip()}

## Gate

How much of a predicted step is shown, by the levels by which pixels of 3 x 3 positions differed from the last
frame within the last known step (root mean square); the rest is the last known frame.

| levels | {heads} |
|---|{"---|" * len(KNOTS)}
| share | {shares} |

- **Made by** `{made_by}`
- **From** {windows} windows of crops of {clips} clips, each counting the same, and of rendered scenes, half
  and half. Mean PSNR of their steps to come: the last frame goes on {fitted.still:.2f} dB, predicted
  {fitted.predicted:.2f}, blended {fitted.gated:.2f}.
"""
