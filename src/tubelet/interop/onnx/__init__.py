"""Tokenizers as ONNX: a step of the encoder and one of the decoder, with their state in sight.

onnx, onnxscript and onnxruntime are the extra `export`; they are imported when they are first needed.
"""
