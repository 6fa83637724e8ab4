"""Video files in and out: probe, read, audio, write, and the step between frames and model input.

The only package that talks to a video library (PyAV). Import its modules; this one re-exports nothing.
"""
