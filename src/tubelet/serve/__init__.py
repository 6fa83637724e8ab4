"""The page that encodes and decodes video in a browser: its files, and a server of them.

Its sources are in ``web/``; `static` holds what was built of them (decision 0053).
"""
