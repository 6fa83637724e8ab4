"""A file that says where its symbols are reconstructed is decoded like that."""

from dataclasses import replace

import numpy as np
import torch

from tubelet.bitstream.reader import TubeReader
from tubelet.bitstream.writer import TubeWriter
from tubelet.codec.encode import encode_file
from tubelet.codec.tube import open_tube

SHIFTS = (100, 50)


def test_symbols_are_reconstructed_where_the_file_says(video_file, small_folder, tmp_path):
    plain, moved = tmp_path / "plain.tube", tmp_path / "moved.tube"
    encode_file(video_file(), plain, tokenizer=small_folder)
    with TubeReader(plain) as reader:
        part = reader.header.parts[0]
        centroids = (SHIFTS,) * part.channels
        header = replace(reader.header, version=3, parts=(replace(part, centroids=centroids),))
        with TubeWriter(moved, header) as writer:
            for number in range(len(reader.chunks)):
                writer.write_chunk(reader.read_chunk(number))
        steps = np.array(part.steps)[:, None, None, None] * 2.0**-20
        symbols = np.concatenate(
            [reader.read_chunk(number).parts[0].symbols for number in range(len(reader.chunks))], axis=1
        )
    sizes = np.abs(symbols)
    shift = np.select([sizes == 1, sizes > 1], [SHIFTS[0] / 256, SHIFTS[1] / 256], 0.0)
    expected = torch.from_numpy(np.sign(symbols) * (sizes - shift) * steps)
    with open_tube(moved, tokenizer=small_folder) as tube:
        torch.testing.assert_close(tube.latent()[0].double(), expected, atol=1e-5, rtol=1e-5)
        frames = np.stack(list(tube))
    with open_tube(plain, tokenizer=small_folder) as tube:
        assert (np.stack(list(tube)) != frames).any()
