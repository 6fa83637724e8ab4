"""From a run of structure and dynamics to a tokenizer that anybody can load."""

from pathlib import Path

from tubelet.data.crops import open_crops
from tubelet.files.marks import RUN_FILE
from tubelet.json_fields import fields_from_json
from tubelet.models.twin.config import TwinConfig
from tubelet.train.average import read_average
from tubelet.train.run_folder import read_run
from tubelet.train.tokenizer.export import card_of_run, name_and_facts
from tubelet.train.tokenizer.ready import OnWindows, make_ready
from tubelet.train.twin.network import TwinNetwork
from tubelet.train.twin.task import KIND


def is_twin(run: Path) -> bool:
    """Whether a folder holds a run of structure and dynamics.

    Raises:
        TrainingError: what it says of itself is damaged.
    """
    path = run / RUN_FILE
    return path.is_file() and read_run(path).get("trains") == KIND


def export_twin(
    run: Path,
    folder: Path,
    *,
    data: Path | None = None,
    force: bool = False,
    on_windows: OnWindows = lambda _: None,
) -> Path:
    """Write the averaged weights of a run's newest checkpoint as a tokenizer.

    Mean and standard deviation of each channel are measured on the training data, without rendered scenes;
    the weights of networks are rounded before, the linear model stays as it is.

    Args:
        run: folder of the run.
        folder: the checkpoint to write.
        data: where the prepared crops of the run are now; where they were when it began by default.
        force: replace a checkpoint that is there.
        on_windows: called with how many more of `MEASURED` windows are measured, again and again.

    Raises:
        OptionError: the folder holds no run with a checkpoint.
        TrainingError: the checkpoint is damaged.
        OutputError: a checkpoint is there and `force` is false.
    """
    name, facts = name_and_facts(run, folder, data=data, force=force)
    config = fields_from_json(TwinConfig, facts["config"]["model"] | {"name": name}, str(run))
    network = TwinNetwork(config.build(), config)
    progress = read_average(run, network)
    tokenizer = network.tokenizer.eval().requires_grad_(requires_grad=False)
    make_ready(tokenizer, open_crops(data or Path(facts["folder"])), on_windows)
    parts = ", ".join(f"{part.channels} of {part.name} ({part.stride})" for part in tokenizer.parts)
    about = f"Structure and dynamics, channels of zero mean and unit variance: {parts}"
    card = card_of_run(name, tokenizer, run, facts, progress=progress, about=about)
    return tokenizer.save(folder, card=card, force=force)
