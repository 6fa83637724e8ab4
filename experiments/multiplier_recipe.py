"""The recipes of `multiplier.py`: what every arm trains, for how long, and on what."""

from dataclasses import dataclass, replace
from typing import TypeVar

from tubelet.generate.dit.train_config import DiTTrainConfig
from tubelet.generate.scenes import SceneData
from tubelet.generate.tokens.train_config import TokenTrainConfig
from tubelet.generate.train_config import GeneratorStage
from tubelet.recipes.generators import ar, dit

Run = TypeVar("Run", DiTTrainConfig, TokenTrainConfig)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What is the same for all arms.

    Attributes:
        name: of the recipe; its runs lie in a folder of that name.
        iterations: of every run.
        evaluated: fractions of a run at which it is evaluated; the last is 1.
        batch: clips per iteration.
        width: features per position.
        blocks: of the transformer.
        lr: of Muon; of AdamW for the rest, half of it.
        ema: decay per iteration of the average of the weights that is evaluated.
        clips: rendered for training.
        frames: of each clip.
        fps: frames per second.
        side: rows and columns of pixels.
        sizes: of things.
        grounds: colours of grounds.
        given: fraction of the clips whose first step is given.
        continued: fraction of the iterations whose clips have lost their first step.
        prompts: of each kind, at each point.
        sampling_steps: Euler steps of a clip that is evaluated.
        arms: that it is for; all for none.
    """

    name: str
    iterations: int
    evaluated: tuple[float, ...]
    batch: int
    width: int
    blocks: int
    lr: float
    ema: float
    clips: int
    frames: int
    fps: float
    side: int
    sizes: tuple[str, ...]
    grounds: tuple[str, ...]
    given: float
    continued: float
    prompts: int
    sampling_steps: int
    arms: tuple[str, ...] = ()

    @property
    def points(self) -> tuple[int, ...]:
        """Iterations at which a run is evaluated."""
        return tuple(round(point * self.iterations) for point in self.evaluated)

    @property
    def scenes(self) -> SceneData:
        """What is rendered for training."""
        return SceneData(
            clips=self.clips, frames=self.frames, fps=self.fps, height=self.side, width=self.side,
            sizes=self.sizes, grounds=self.grounds,
        )  # fmt: skip

    def latents(self, tokenizer: str, seed: int) -> DiTTrainConfig:
        """The run of a diffusion transformer on the latents of a tokenizer."""
        return self._run(dit(), tokenizer, seed)

    def tokens(self, tokenizer: str, seed: int) -> TokenTrainConfig:
        """The run of an autoregressive transformer on the tokens of a tokenizer."""
        return self._run(ar(), tokenizer, seed)

    def _run(self, base: Run, tokenizer: str, seed: int) -> Run:
        return replace(
            base,
            optimizer=replace(base.optimizer, lr=self.lr, ema=self.ema),
            tokenizer=tokenizer, seed=seed, iterations=self.iterations, scenes=self.scenes,
            width=self.width, blocks=self.blocks, stages=(GeneratorStage(batch=self.batch),),
            given=self.given, continued=self.continued,
        )  # fmt: skip


FULL = Recipe(
    name="full",
    iterations=4000,
    evaluated=(0.25, 0.5, 0.75, 1.0),
    batch=32,
    width=256,
    blocks=6,
    lr=2e-3,
    ema=0.998,
    clips=6000,
    frames=17,
    fps=30.0,
    side=64,
    sizes=("medium", "large"),
    grounds=("black", "gray", "dark-blue"),
    given=0.1,
    continued=0.1,
    prompts=64,
    sampling_steps=25,
)
"""The recipe `dit` as it ships: 4.9 million weights, about 80 minutes of a core for each run."""

SMALL = Recipe(
    name="small",
    iterations=600,
    evaluated=(0.5, 1.0),
    batch=32,
    width=128,
    blocks=4,
    lr=6e-3,
    ema=0.995,
    clips=2000,
    frames=9,
    fps=15.0,
    side=32,
    sizes=("large",),
    grounds=("black",),
    given=0.0,
    continued=0.0,
    prompts=48,
    sampling_steps=12,
)
"""0.9 million weights on 9 frames of 32 x 32: about a minute of a core for each run, evaluations counted."""

LONGER = replace(SMALL, name="longer", iterations=1500)
"""The small recipe for two and a half times as long."""

TOKENS = replace(
    LONGER, name="tokens", iterations=900, side=64, arms=("tubelet-fsq", "tubelet-lfq", "tubelet-vq")
)
"""Tokenizers with tokens beside one another, on frames of which they keep what rules can read."""

RECIPES = {recipe.name: recipe for recipe in (SMALL, LONGER, TOKENS, FULL)}
