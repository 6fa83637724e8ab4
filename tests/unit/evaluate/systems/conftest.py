from importlib.util import find_spec

# An extra: pip install 'tubelet[diffusers]'.
if find_spec("diffusers") is None:
    collect_ignore = ["test_diffusers.py"]
