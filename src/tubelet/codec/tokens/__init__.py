"""Files of tokens: clips to ``.tube``, ``.npz`` and ``.parquet``, and back."""
