"""Make the file of weights that a perceptual measure needs, from what its authors publish.

tubelet holds no such weights and fetches none. Download the published files, name them in any order, and note
the SHA-256 that is printed: whoever uses the file gives it too. Nothing of a published file is executed.

  lpips      vgg16-397923af.pth of torchvision, and vgg.pth of LPIPS v0.1
  dists      vgg16-397923af.pth of torchvision, and weights.pt of DISTS or dists_weights.pt of piq
  i3d        i3d_pretrained_400.pt of TATS, for rFVD
  videomae   a fine-tuned VideoMAE of transformers, or vit_g_hybrid_pt_1200e_ssv2_ft.pth, for rFVD

for example:
  tubelet weights lpips vgg16-397923af.pth vgg.pth -o lpips.safetensors
"""

import argparse
from pathlib import Path

from tubelet.cli import options
from tubelet.cli.console import as_word
from tubelet.files.names import text_name

NAME = "weights"

_NETWORKS = ("lpips", "dists", "i3d", "videomae")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument(
        "network", choices=_NETWORKS, metavar="NETWORK", help=f"whose weights: {', '.join(_NETWORKS)}"
    )
    parser.add_argument("sources", type=Path, nargs="+", metavar="SOURCE", help="published files")
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="FILE", help="file to write, a .safetensors"
    )
    parser.add_argument("--force", action="store_true", help="replace FILE if it exists")
    options.add_json(parser)


def run(arguments: argparse.Namespace) -> None:
    """Make the file, and say what to do with it."""
    from tubelet.evaluate.make_weights import make_weights

    options.check_outputs([], arguments.json, inputs=arguments.sources, force=arguments.force)
    made = make_weights(arguments.network, arguments.sources, arguments.output, force=arguments.force)
    named = f"{made.path}:{made.sha256}"
    rows = [
        ("weights", str(made.path)),
        ("holds", f"{made.tensors} tensors, {made.numbers / 1e6:.2f} million numbers"),
        ("sha256", made.sha256),
        ("use it", f"tubelet evaluate … --weights {as_word(f'{arguments.network}={named}')}"),
    ]
    if arguments.network == "lpips":
        rows.append(("or train", f"… --perceptual {as_word(made.path)} --perceptual_sha256 {made.sha256}"))
    figures = {"network": arguments.network, "file": text_name(str(made.path)), "sha256": made.sha256}
    options.show_result(arguments, rows, figures | {"tensors": made.tensors, "numbers": made.numbers})
