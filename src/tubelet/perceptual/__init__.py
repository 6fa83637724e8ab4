"""Networks that compare videos as people do (LPIPS, DISTS, FVD), and the readers of their weights."""
