"""From a run of a flow to a tokenizer that anybody can load."""

from pathlib import Path

from tubelet.files.marks import RUN_FILE
from tubelet.json_fields import fields_from_json
from tubelet.models.flow.config import FlowConfig
from tubelet.train.average import read_average
from tubelet.train.flow.network import FlowNetwork
from tubelet.train.flow.task import KIND
from tubelet.train.run_folder import read_run
from tubelet.train.tokenizer.export import card_of_run, name_and_facts
from tubelet.weights_file import round_for_storage


def is_flow(run: Path) -> bool:
    """Whether a folder holds a run of a flow.

    Raises:
        TrainingError: what it says of itself is damaged.
    """
    path = run / RUN_FILE
    return path.is_file() and read_run(path).get("trains") == KIND


def export_flow(run: Path, folder: Path, *, force: bool = False) -> Path:
    """Write the averaged weights of a run's newest checkpoint as a tokenizer, the frozen one inside.

    The weights of the flow are rounded to one or two bytes each; the frozen tokenizer stays what it is, so
    the latent is its latent, number by number.

    Args:
        run: folder of the run.
        folder: the checkpoint to write.
        force: replace a checkpoint that is there.

    Raises:
        OptionError: the folder holds no run with a checkpoint.
        TrainingError: the checkpoint is damaged.
        OutputError: a checkpoint is there and `force` is false.
    """
    name, facts = name_and_facts(run, folder, force=force)
    config = fields_from_json(FlowConfig, facts["config"]["model"] | {"name": name}, str(run))
    network = FlowNetwork(config.build(), config)
    progress = read_average(run, network)
    tokenizer = network.tokenizer.eval().requires_grad_(requires_grad=False)
    round_for_storage(network.model.refiner.network)
    about = (
        f"A flow that refines the frames of {config.base.name}, whose encoder, decoder and latent of "
        f"{tokenizer.channels} ordered channels it holds unchanged"
    )
    card = card_of_run(name, tokenizer, run, facts, progress=progress, about=about)
    return tokenizer.save(folder, card=card, force=force)
