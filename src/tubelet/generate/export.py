"""From a training run to a generator that anybody can load."""

from pathlib import Path
from typing import Any

from tubelet.errors import OptionError, TrainingError
from tubelet.files import check_folder
from tubelet.files.marks import RUN_FILE
from tubelet.files.names import text_name
from tubelet.generate.captions import facts_from_json
from tubelet.generate.checkpoint import FILES, save_generator
from tubelet.generate.dit.network import DiT
from tubelet.generate.dit.train_config import DiTTrainConfig
from tubelet.generate.kinds import KINDS, Network, NetworkConfig
from tubelet.generate.scenes import SceneData
from tubelet.generate.tokens.train_config import TokenTrainConfig
from tubelet.generate.train_config import GeneratorStage
from tubelet.json_text import of_kind
from tubelet.spelling import counted
from tubelet.train.average import read_average
from tubelet.train.card import run_card
from tubelet.train.config import Optimizer
from tubelet.train.run_folder import read_run
from tubelet.train.state import checkpoints
from tubelet.weights_file import round_for_storage


def is_generator(run: Path) -> bool:
    """Whether a folder holds a run of a generator.

    Raises:
        TrainingError: what it says of itself is damaged.
    """
    path = run / RUN_FILE
    return path.is_file() and read_run(path).get("generator") in KINDS


def export_generator(run: Path, folder: Path, *, force: bool = False) -> Path:
    """Write the averaged weights of a run's newest checkpoint as a generator, as `round_for_storage` rounds.

    Args:
        run: folder of the run.
        folder: the generator to write.
        force: replace a generator that is there.

    Raises:
        OptionError: the folder holds no run of a generator with a checkpoint.
        TrainingError: the checkpoint is damaged.
        OutputError: a generator is there and `force` is false.
    """
    check_folder(folder, holds=FILES, sources=[run], force=force)
    if not is_generator(run) or not checkpoints(run):
        raise OptionError(
            f"{run} holds no run of a generator with a checkpoint; give the folder that `tubelet train dit, "
            "masked or ar -o` was given, after its first checkpoint."
        )
    facts = read_run(run / RUN_FILE)
    network = KINDS[facts["generator"]].network(_network_config(facts, run))
    progress = read_average(run, network)
    network.eval().requires_grad_(requires_grad=False)
    round_for_storage(network)
    name = text_name(folder.resolve().name)
    return save_generator(network, folder, card=_card(name, network, run, facts, progress), force=force)


def config_from_facts(kind: str, numbers: dict[str, Any]) -> DiTTrainConfig | TokenTrainConfig:
    """The configuration that a run of a kind of generators was begun with.

    Raises:
        OptionError: it is of no run of a generator of this program.
    """
    try:
        scenes: dict[str, Any] = {
            key: tuple(each) if isinstance(each, list) else each for key, each in numbers["scenes"].items()
        }
        optimizer = numbers["optimizer"] | {"betas": tuple(numbers["optimizer"]["betas"])}
        values = numbers | {
            "stages": tuple(GeneratorStage(**stage) for stage in numbers["stages"]),
            "optimizer": Optimizer(**optimizer),
            "scenes": SceneData(**scenes),
        }
        return DiTTrainConfig(**values) if kind == DiT.kind else TokenTrainConfig(**values)
    except (KeyError, TypeError, AttributeError) as error:
        raise OptionError(f"the run is of no generator of this program ({error!r:.200}).") from error


def _network_config(facts: dict[str, Any], run: Path) -> NetworkConfig:
    try:
        config = config_from_facts(facts["generator"], facts["config"])
        sha256 = of_kind(facts["tokenizer_sha256"], str, "tokenizer_sha256")
        fps = float(of_kind(facts["fps"], (int, float), "fps"))
        prompts = facts_from_json(facts, slots=config.slots)
        shape = [of_kind(side, int, "shape") for side in facts["shape"]]
        if isinstance(config, DiTTrainConfig):
            channels, steps, rows, columns = shape
            return config.network(
                tokenizer_sha256=sha256, shape=(channels, steps, rows, columns), fps=fps, prompts=prompts
            )
        steps, rows, columns = shape
        bases = tuple(of_kind(base, int, "bases") for base in facts["bases"])
        return config.network(
            tokenizer_sha256=sha256, bases=bases, shape=(steps, rows, columns), fps=fps, prompts=prompts
        )
    except (KeyError, TypeError, ValueError) as error:
        raise TrainingError(f"{run / RUN_FILE} is damaged: {error!r:.200}. Start the run again.") from error


def _card(name: str, network: Network, run: Path, facts: dict[str, Any], progress: float) -> str:
    """What the generator is, what it was made from, and how it went."""
    config = network.config
    weights = sum(parameter.numel() for parameter in network.parameters())
    kind = f"{KINDS[network.kind].title}, {weights / 1e6:.1f} million weights"
    about = (
        f"A generator ({kind}) of {_made(network)} of {config.tokenizer} from text:\n"
        f"{config.steps} steps of {config.rows} x {config.columns} positions at once, longer clips window by "
        f"window.\n{_prompts_text(config)}"
    )
    return run_card(
        name,
        run,
        facts,
        progress=progress,
        about=about,
        clips=f"{facts['count']} captioned clips: {_source_text(facts)}",
        notes=[
            f"**Figures**: measure them with `tubelet evaluate-generation {name} -o figures.json`.",
            "**Limits**: it knows what was seen with these words, and nothing else.",
        ],
        curve={"gradient": lambda line: line["gradient"]},
    )


def _made(network: Network) -> str:
    return "latents" if isinstance(network, DiT) else "tokens"


def _prompts_text(config: NetworkConfig) -> str:
    words = f"{len(config.words)} words: {', '.join(config.words[:120])}."
    if not config.text_encoder:
        return f"It knows {words}"
    return (
        f"Prompts are read by the text encoder {config.text_encoder}\n(SHA-256 {config.text_sha256:.16}…), "
        f"up to {config.slots} tokens. Captions in training had {words}"
    )


def _source_text(facts: dict[str, Any]) -> str:
    clips = facts.get("clips", {})
    if "shards" in clips:
        return f"a data set of {counted(len(clips['shards']), 'shard')}"
    return "rendered scenes only" if "scenes" in clips else f"{len(clips.get('files', {}))} files of tokens"
