"""Training with a quantiser: from the fitted start to tokens that anybody can load."""

import json
import re
from dataclasses import replace

import pytest
import torch
from safetensors import safe_open

from tubelet.checkpoint import load_discrete
from tubelet.data.crops import open_crops
from tubelet.data.feed import Draw, draw_batch
from tubelet.errors import OptionError
from tubelet.quantizers.config import FSQConfig, VQConfig
from tubelet.tokenizers.continuous import ContinuousTokenizer
from tubelet.train.journal import read_log
from tubelet.train.loop import RunOptions
from tubelet.train.tokenizer import token_figures
from tubelet.train.tokenizer.batches import latents_of, to_video
from tubelet.train.tokenizer.config import Prefixes
from tubelet.train.tokenizer.export import export_run
from tubelet.train.tokenizer.start import fitted_quantizer
from tubelet.train.tokenizer.task import train

LEVELS = (5, 4, 3)


def totals(folder):
    return [line["total"] for line in read_log(folder)]


def test_a_fitted_start_quantises_better_than_an_unfitted_one(discrete, data):
    crops = open_crops(data)
    tokenizer = ContinuousTokenizer(discrete.model.start(crops, seed=0))
    latent = next(latents_of(tokenizer, crops, windows=8))
    fitted = fitted_quantizer(discrete.quantizer, tokenizer, crops, seed=0)
    plain = discrete.quantizer.build(3)

    def error(quantizer):
        return (quantizer.dequantize(quantizer.quantize(latent)) - latent).square().mean()

    assert error(fitted) < 0.7 * error(plain)


def test_an_exported_run_gives_the_tokens_of_its_averaged_weights(discrete, data, tmp_path):
    state = train(discrete, data=data, options=RunOptions(folder=tmp_path / "run"))
    tokenizer = load_discrete(export_run(tmp_path / "run", tmp_path / "mine", data=data))
    draw = Draw(batch=4, frames=9, side=24)
    video = to_video(draw_batch(open_crops(data), draw, seed=5, step=0, indices=range(4)))
    state.use_ema()
    with torch.no_grad():
        network = state.network.eval()
        expected = network.quantizer.quantize(network.tokenizer.encode(video))
    found = tokenizer.tokenize(video)
    assert tokenizer.bases == (LEVELS,)
    # Weights are rounded to bfloat16: few digits fall to the other side.
    assert (found.digits != expected).float().mean() < 0.02
    assert "60 values per position" in (tmp_path / "mine" / "card.md").read_text()


def test_a_card_says_how_much_is_used_of_the_codebook_of_each_token(discrete, data, tmp_path):
    two = replace(
        discrete,
        model=replace(discrete.model, channels=4),
        quantizer=FSQConfig(levels=(5, 4, 3, 3), tokens=2),
        prefixes=Prefixes(counts=(4,), weights=(1.0,)),
    )
    train(two, data=data, options=RunOptions(folder=tmp_path / "run"))
    card = (export_run(tmp_path / "run", tmp_path / "mine", data=data) / "card.md").read_text()
    used = r"20 x 9 values .* use ([\d.]+) % and ([\d.]+) %, with a perplexity of (\d+) and (\d+)"
    found = re.search(used, " ".join(card.split()))
    shares, perplexities = map(float, found.groups()[:2]), map(float, found.groups()[2:])
    for size, share, perplexity in zip((20, 9), shares, perplexities, strict=True):
        assert 1 / size <= share / 100 <= 1
        assert 1 <= perplexity <= size * share / 100 + 0.5


def test_an_exported_codebook_takes_two_bytes_a_number(discrete, data, tmp_path):
    train(
        replace(discrete, quantizer=VQConfig(codes=50)),
        data=data,
        options=RunOptions(folder=tmp_path / "run"),
    )
    folder = export_run(tmp_path / "run", tmp_path / "mine", data=data)
    with safe_open(folder / "weights.safetensors", "pt") as stored:
        kinds = {name: stored.get_slice(f"quantizer.{name}").get_dtype() for name in ("codebook", "counts")}
    assert kinds == {"codebook": "BF16", "counts": "F32"}
    codebook = load_discrete(folder).quantizer.codebook
    assert torch.equal(codebook, codebook.to(torch.bfloat16).float())


def test_a_run_that_is_stopped_and_resumed_has_the_losses_of_an_unbroken_one(
    discrete, data, tmp_path, stop_after
):
    train(discrete, data=data, options=RunOptions(folder=tmp_path / "unbroken"))
    train(discrete, data=data, options=RunOptions(folder=tmp_path / "broken", on_iteration=stop_after(3)))
    train(discrete, data=data, options=RunOptions(folder=tmp_path / "broken", resume=True))
    assert totals(tmp_path / "broken") == totals(tmp_path / "unbroken")


def test_a_run_goes_on_from_exported_tokens(discrete, data, tmp_path):
    train(discrete, data=data, options=RunOptions(folder=tmp_path / "run"))
    mine = str(export_run(tmp_path / "run", tmp_path / "mine", data=data))
    state = train(
        replace(discrete, start=mine, iterations=1), data=data, options=RunOptions(folder=tmp_path / "more")
    )
    assert state.iteration == 1
    even = FSQConfig(levels=LEVELS, entropy_weight=0.1)
    state = train(
        replace(discrete, start=mine, quantizer=even, iterations=1),
        data=data,
        options=RunOptions(folder=tmp_path / "even"),
    )
    assert state.network.quantizer.entropy_weight == 0.1
    with pytest.raises(OptionError, match="goes on from the same model"):
        train(
            replace(discrete, start=mine, quantizer=FSQConfig(levels=(5, 5, 5))),
            data=data,
            options=RunOptions(folder=tmp_path / "other"),
        )


def test_a_log_tells_how_much_of_the_codebook_is_used(discrete, data, tmp_path, monkeypatch):
    monkeypatch.setattr(token_figures, "STEPS", 4)
    train(discrete, data=data, options=RunOptions(folder=tmp_path / "run"))
    lines = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    tokens = [line["tokens"] for line in lines if "tokens" in line]
    assert [line["iteration"] for line in lines if "tokens" in line] == [4, 8]
    assert tokens[0]["size"] == 60
    assert 1 <= tokens[0]["perplexity"] <= 60
    assert tokens[0]["count"] == 4 * 4 * 3 * 4 * 4


def test_a_quantiser_takes_all_channels_of_a_plain_latent(discrete):
    with pytest.raises(OptionError, match="needs all 3"):
        replace(discrete, prefixes=Prefixes(counts=(2, 3), weights=(1.0, 1.0)))
    with pytest.raises(OptionError, match="a token is not a distribution"):
        replace(discrete, model=replace(discrete.model, variational=True))
