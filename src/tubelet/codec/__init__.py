"""A video file to a token file and back: the map of the whole system, one door per line.

```text
file ─ read ─ Frames ─ stream encoder ─ Latent ─ quantize ─ Symbols ─ chunks ─ range coder ─ .tube
file ─ write ─ Frames ─ stream decoder ─ Latent ─ dequantize ─ Symbols ─ chunks ─ range coder ─ .tube
```

`encode` and `decode` walk it in the two directions, `reconstruct` there and back. With a discrete tokenizer
symbols are digits of tokens: `tokenize` and `detokenize` walk the same line, which may also end in ``.npz``
and ``.parquet`` files.
"""
