"""Everything that can be evaluated or timed: our tokenizers, autoencoders of diffusers, codecs.

A text names a system (`system_specs`), `opening` opens it, and what comes out is a `System` (`system`): it
reconstructs a clip, says what it makes of it in between (`representation`), and is timed (`timing`).
"""
