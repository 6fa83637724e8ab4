"""Try an installed tubelet: every command answers, and a clip goes there and back. No repository is needed.

    python smoke.py

It writes into a temporary folder; the exit code says whether all was well.
"""

import subprocess
import sys
import tempfile
from importlib.metadata import entry_points
from pathlib import Path

import numpy as np

import tubelet
from tubelet.cli.parser import COMMANDS

TUBELET = (sys.executable, "-m", "tubelet")


def main() -> None:
    """Run everything; an exception ends it at the first fault."""
    assert any(each.name == "tubelet" for each in entry_points(group="console_scripts")), (
        "no command `tubelet`"
    )
    for command in COMMANDS:
        assert "usage: tubelet" in run(command.NAME, "--help"), command.NAME
    print(f"{len(COMMANDS)} commands answer")
    assert set(tubelet.shipped()) <= set(run("models").split()), "a tokenizer is not listed"
    with tempfile.TemporaryDirectory() as folder:
        there_and_back(Path(folder))
    print(f"tubelet {tubelet.__version__} works with {sys.version.split()[0]}")


def there_and_back(folder: Path) -> None:
    """A clip to a file and to tokens, by every kind of tokenizer that is shipped, and a report of it."""
    rows, columns = np.mgrid[:48, :64]
    frames = [np.stack([rows * 4, columns * 3, (rows + columns + 4 * t) % 256], axis=2) for t in range(9)]
    clip = folder / "clip.npy"
    np.save(clip, np.stack(frames).astype(np.uint8))
    run("encode", clip, "-o", folder / "clip.tube", "--channels", "16")
    run("decode", folder / "clip.tube", "-o", folder / "back.npy")
    assert np.load(folder / "back.npy").shape == (9, 48, 64, 3), "the clip came back in another size"
    run("tokenize", clip, "-o", folder / "clip.npz")
    run("detokenize", folder / "clip.npz", "-o", folder / "tokens.npy")
    for name in ("back", "tokens"):
        error = np.load(clip).astype(float) - np.load(folder / f"{name}.npy")
        psnr = 10 * np.log10(255**2 / np.square(error).mean())
        assert psnr > 20, f"{name} has {psnr:.1f} dB"
        print(f"{name}: {psnr:.1f} dB")
    run("reconstruct", clip, "-o", folder / "again.mp4", "--tokenizer", "klt-4x8x8")
    assert "clip.tube" in run("info", folder / "clip.tube"), "`tubelet info` does not name the file"
    for name in tubelet.shipped():
        (tubelet.load_discrete if "fsq" in name else tubelet.load)(name)


def run(*arguments: object) -> str:
    """Run the command line; give what it printed.

    Raises:
        RuntimeError: it failed.
    """
    done = subprocess.run([*TUBELET, *map(str, arguments)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(
            f"tubelet {' '.join(map(str, arguments))} ended with {done.returncode}:\n{done.stderr}"
        )
    return done.stdout


if __name__ == "__main__":
    main()
