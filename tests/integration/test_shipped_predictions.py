"""The shipped tokenizer that predicts: what it continues is nearer to what came than the last frame is."""

import numpy as np

import tubelet
from tubelet.codec.continuation import DEFAULT
from tubelet.data.scenes import SceneOptions, scene_at
from tubelet.video.pixels import from_model, to_model

OPTIONS = SceneOptions(frames=21, still=0.0)


def error(frames, truth):
    return np.mean((frames.astype(np.float32) - truth) ** 2)


def test_it_sees_where_things_go():
    tokenizer = tubelet.load(DEFAULT)
    gains = []
    for index in range(12):
        frames = scene_at(index, seed=77, options=OPTIONS).frames()
        seen, truth = frames[:17], frames[17:]
        latent = tokenizer.encode(to_model(seen))
        found = from_model(tokenizer.decode(latent, frames=17, height=64, width=64, ahead=1))[17:]
        gains.append(10 * np.log10(error(seen[-1:], truth) / error(found, truth)))
    assert np.mean(gains) > 1


def test_it_is_the_one_that_continues_when_none_is_named(cli, video_file, tmp_path):
    ended = cli("continue", video_file("a.mkv", frames=9), "-o", tmp_path / "b.mkv", "--seconds", "0.2")
    assert (ended.code, ended.err) == (0, "")
    assert DEFAULT in ended.out
    assert "9 of the source" in ended.out
