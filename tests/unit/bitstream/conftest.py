import numpy as np
import pytest

from tubelet.bitstream import AudioHeader, Chunk, Codings, Header, PartHeader


@pytest.fixture(scope="session")
def make_part():
    """A valid part of a latent of 2 channels of 3x5, with changes."""

    def make(**changes):
        facts = {
            "name": "latent",
            "channels": 2,
            "stride": (4, 8, 8),
            "rows": 3,
            "columns": 5,
            "steps": (1 << 20, 1 << 18),
        }
        return PartHeader(**(facts | changes))

    return make


PART_FACTS = ("channels", "steps", "bases", "rows", "columns")


@pytest.fixture(scope="session")
def make_header(make_part):
    """A valid header of 2 channels of 3x5, of version 1 or with `bases` 2, with changes to it or its part."""

    def make(**changes):
        own = {name: changes.pop(name) for name in PART_FACTS if name in changes}
        content = "tokens" if own.get("bases") else "latent"
        stride = changes.get("stride", (4, 8, 8))
        facts = {
            "version": 2 if own.get("bases") else 1,
            "content": content,
            "tokenizer": "klt-4x8x8",
            "tokenizer_sha256": "0123456789abcdef" * 4,
            "stride": stride,
            "lead_frame": True,
            "height": 24,
            "width": 40,
            "time_base": (1, 30),
            "sample_aspect": (1, 1),
            "colour": {"matrix": "bt709"},
            "source": {"codec": "h264"},
            "audio": None,
        }
        if "parts" not in changes:
            facts["parts"] = (make_part(name=content, stride=stride, **own),)
        return Header(**(facts | changes))

    return make


@pytest.fixture(scope="session")
def audio_header():
    return AudioHeader(
        codec="opus",
        sample_rate=48000,
        layout="stereo",
        channels=2,
        time_base=(1, 48000),
        extradata=b"OpusHead",
        parameters={"frame_size": 960},
    )


@pytest.fixture(scope="session")
def make_chunk():
    """Chunk `number` of a file whose chunks have `steps` steps of 2x3x5 and 4 frames a step."""

    def make(number=0, *, steps=2, channels=2):
        generator = np.random.default_rng(number)
        first_frame = 4 * steps * number
        return Chunk(
            number=number,
            first_step=steps * number,
            first_frame=first_frame,
            timestamps=np.arange(first_frame, first_frame + 4 * steps, dtype=np.int64) * 100 - 50,
            symbols=np.round(generator.laplace(0, 2, (channels, steps, 3, 5))).astype(np.int32),
        )

    return make


@pytest.fixture
def codings(make_header):
    """What chunks of `make_chunk` are coded with."""
    return Codings(make_header())
