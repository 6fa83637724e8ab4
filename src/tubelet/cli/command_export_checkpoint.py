"""Make a tokenizer of a training run, to be used wherever one is named; or a prior or generator of its run.

for example:
  tubelet export-checkpoint run -o tubelet-m
  tubelet reconstruct my.mp4 --tokenizer tubelet-m
"""

import argparse
from pathlib import Path

from tubelet.cli.console import as_word, show_table
from tubelet.cli.progress import progress

NAME = "export-checkpoint"

_USES = {
    "continuous": "tubelet reconstruct my.mp4",
    "discrete": "tubelet tokenize my.mp4 -o my.parquet",
}
"""What is done first with each kind of tokenizer."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("training", type=Path, metavar="RUN", help="folder of the run (`tubelet train`)")
    parser.add_argument(
        "--data",
        type=Path,
        metavar="DATA",
        help="where the crops of the run are now (default: where they were)",
    )
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help="checkpoint to write")
    parser.add_argument("--force", action="store_true", help="replace the output if it exists")


def run(arguments: argparse.Namespace) -> None:
    """Write the checkpoint, and say where it is."""
    from tubelet.checkpoint import architecture
    from tubelet.generate.export import export_generator, is_generator
    from tubelet.train.flow.export import export_flow, is_flow
    from tubelet.train.prior.export import export_prior, is_prior
    from tubelet.train.tokenizer.export import export_run
    from tubelet.train.tokenizer.ready import MEASURED
    from tubelet.train.twin.export import export_twin, is_twin

    if is_generator(arguments.training):
        folder = export_generator(arguments.training, arguments.output, force=arguments.force)
        use = f'tubelet generate "a red circle moves left" -o my.mp4 --model {as_word(folder)}'
        show_table([("generator", str(folder)), ("trained in", str(arguments.training)), ("use it", use)])
        return
    if is_prior(arguments.training):
        folder = export_prior(
            arguments.training, arguments.output, data=arguments.data, force=arguments.force
        )
        show_table([("prior", str(folder)), ("trained in", str(arguments.training))])
        return
    if is_flow(arguments.training):
        folder = export_flow(arguments.training, arguments.output, force=arguments.force)
        use = f"tubelet reconstruct my.mp4 --tokenizer {as_word(folder)} --channels 4 --refine 1"
        show_table([("tokenizer", str(folder)), ("trained in", str(arguments.training)), ("use it", use)])
        return
    export = export_twin if is_twin(arguments.training) else export_run
    with progress("measuring", total=MEASURED, unit="windows") as shown:
        folder = export(
            arguments.training,
            arguments.output,
            data=arguments.data,
            force=arguments.force,
            on_windows=shown,
        )
    if export is export_twin:
        use = f"tubelet swap A.mp4 B.mp4 -o SWAP.mp4 --tokenizer {as_word(folder)}"
    else:
        use = f"{_USES[architecture(folder)]} --tokenizer {as_word(folder)}"
    show_table([("tokenizer", str(folder)), ("trained in", str(arguments.training)), ("use it", use)])
