"""Put prepared crops into one small file: `python scripts/gpu/pack.py DATA -o PACK [--skip N]`.

For a machine that takes only so many bytes. Each crop becomes an AVIF sequence (AV1, 4:4:4) of the least
quality in `QUALITIES` that keeps `LEAST_PSNR`; a pack is a plain tar of them and of the index of the crops.
Crops go in round by round, one of every clip each time, until the pack is full: every clip counts the same.
What did not fit goes into a further pack with ``--skip``. `unpack.py` makes a folder of crops again.

A crop of 33 x 160 x 160, one of each of the 127 clips that the shipped weights were trained on, takes 30
KB and comes back at 43.0 dB in the mean, so 58 MB hold about 1,850. `tubelet.video.write` offers less per
byte: on 14 of the clips H.264 at 4:2:0 (CRF 16, slow) needs 36 KB for 40.3 dB where this, at quality 68,
needs 30 KB for 43.3 dB. Pillow, which comes with tubelet[demo], writes AVIF.
"""

import argparse
import io
import statistics
import tarfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from PIL import Image
from unpack import member_name, read_sequence

from tubelet.data.crops import INDEX, Crops, open_crops
from tubelet.files import replacing
from tubelet.metrics.psnr import ClipPSNR
from tubelet.types import Frames

QUALITIES = (64, 72, 80, 88, 94, 100)
"""Of Pillow's scale; the first does for most crops, the others are for those that come out too far off."""

LEAST_PSNR = 38.0
"""In dB; a crop that no quality brings there is packed with the last one."""

SPEED = 6
"""Of the encoder, 0 to 10; 4 saves 2 % of the bytes in twice the time, 8 costs 40 % more."""

MEMBER_BYTES = 1024
"""What a tar adds to a member, at most: a header and the filling of its last block."""

TAR_BYTES = 12 * 1024
"""What a tar adds at its end, at most, and for the index."""


class Packed(NamedTuple):
    """A crop as it is packed."""

    content: bytes
    psnr: float


def main() -> None:
    """Pack, and say what went in."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="a folder of crops (`tubelet prepare`)")
    parser.add_argument("-o", type=Path, required=True, metavar="PACK", help="the file to write")
    parser.add_argument("--megabytes", type=float, default=58.0, help="largest size of the pack")
    parser.add_argument("--skip", type=int, default=0, metavar="N", help="crops that are in other packs")
    parser.add_argument("--jobs", type=int, help="threads; a few more than there are cores by default")
    arguments = parser.parse_args()
    crops = open_crops(arguments.data)
    order = list(islice(rounds(crops), arguments.skip, None))
    index = (arguments.data / INDEX).read_bytes()
    size = int(1e6 * arguments.megabytes) - len(index) - TAR_BYTES
    packed = encode_crops(crops, order, size=size, jobs=arguments.jobs)
    names = [member_name(crops, number) for number in order[: len(packed)]]
    write_pack(arguments.o, index, dict(zip(names, packed, strict=True)))
    print(summary(crops, order, packed, arguments.skip))


def rounds(crops: Crops) -> Iterator[int]:
    """The indices of all crops: the first of every clip, then the second of every clip, and so on."""
    own = [crops.of_clip(clip) for clip in range(len(crops.clips))]
    for number in range(max(map(len, own))):
        yield from (indices[number] for indices in own if number < len(indices))


def encode_crops(crops: Crops, order: Sequence[int], *, size: int, jobs: int | None) -> list[Packed]:
    """Encode crops in order, as many as fit into `size` bytes."""
    packed: list[Packed] = []
    # Encoding happens outside of Python, so threads do.
    with ThreadPoolExecutor(jobs) as pool:
        for each in pool.map(lambda index: encode_crop(crops[index]), order):
            size -= len(each.content) + MEMBER_BYTES
            if size < 0:
                pool.shutdown(cancel_futures=True)
                break
            packed.append(each)
    return packed


def encode_crop(frames: Frames) -> Packed:
    """Encode a crop at the least quality that is good enough."""
    packed = encoded(frames, QUALITIES[0])
    for quality in QUALITIES[1:]:
        if packed.psnr >= LEAST_PSNR:
            break
        packed = encoded(frames, quality)
    return packed


def encoded(frames: Frames, quality: int) -> Packed:
    """A crop as an AVIF sequence, and how near that is."""
    first, *others = [Image.fromarray(frame) for frame in frames]
    file = io.BytesIO()
    first.save(
        file,
        "AVIF",
        save_all=True,
        append_images=others,
        quality=quality,
        subsampling="4:4:4",
        speed=SPEED,
        max_threads=1,
        advanced={"tune": "psnr"},
    )
    psnr = ClipPSNR()
    psnr.update(frames, read_sequence(file.getvalue(), shape=frames.shape))
    return Packed(file.getvalue(), psnr.compute())


def write_pack(target: Path, index: bytes, packed: dict[str, Packed]) -> None:
    """Write the tar."""
    with replacing(target, force=True) as beside, tarfile.open(beside, "w") as pack:
        for name, content in [(INDEX, index), *((name, each.content) for name, each in packed.items())]:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            pack.addfile(member, io.BytesIO(content))


def summary(crops: Crops, order: Sequence[int], packed: Sequence[Packed], skipped: int) -> str:
    """What went in, how good it is, and how to go on."""
    if not packed:
        return f"0 crops of {len(order)} fit"
    clips = len({crops.clip_of(index) for index in order[: len(packed)]})
    psnr = [min(each.psnr, 99.0) for each in packed]
    size = sum(len(each.content) for each in packed)
    after = skipped + len(packed)
    return (
        f"{len(packed)} crops of {clips} clips in {size / 1e6:.1f} MB, {size / 1e3 / len(packed):.1f} KB "
        f"each; PSNR {statistics.mean(psnr):.2f} dB, least {min(psnr):.2f} dB, "
        f"{sum(each < LEAST_PSNR for each in psnr)} below {LEAST_PSNR:g} dB; "
        + (f"go on with --skip {after}" if after < len(crops) else "all crops are packed")
    )


if __name__ == "__main__":
    main()
