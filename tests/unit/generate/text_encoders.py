"""Tiny text encoders of each class, as transformers saves them."""

import json

import pytest
import torch

transformers = pytest.importorskip("transformers")
tokenizers = pytest.importorskip("tokenizers")

WORDS = ["a", "red", "blue", "circle", "square", "moves", "left", "right", "up", "quickly", "over", "black"]

_SIZES = {"vocab_size": 20, "pad_token_id": 0}
_T5 = {"d_model": 16, "d_kv": 8, "d_ff": 24, "num_layers": 2, "num_heads": 2}
_BERT = {
    "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24,
    "max_position_embeddings": 40,
}  # fmt: skip

KINDS = {
    "t5": ("T5Config", "T5EncoderModel", _T5),
    "umt5": ("UMT5Config", "UMT5EncoderModel", _T5),
    "clip": ("CLIPTextConfig", "CLIPTextModel", _BERT | {"eos_token_id": 1, "bos_token_id": 2}),
    "bert": ("BertConfig", "BertModel", _BERT),
}


def save_text_encoder(kind, folder, *, seed=0, **save):
    """A text encoder of random weights, with a tokenizer of a dozen words and an end of text."""
    config, network, sizes = KINDS[kind]
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        made = getattr(transformers, network)(getattr(transformers, config)(**_SIZES, **sizes))
        for weights in made.parameters():
            weights.data = 0.5 * torch.randn(weights.shape)
    made.save_pretrained(folder, **save)
    words = {"[PAD]": 0, "[END]": 1, "[UNK]": 2} | {word: 3 + index for index, word in enumerate(WORDS)}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    tokenizer.post_processor = tokenizers.processors.TemplateProcessing(
        single="$A [END]", special_tokens=[("[END]", words["[END]"])]
    )
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", eos_token="[END]"
    )
    fast.save_pretrained(folder)
    return str(folder)


def change_json(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
