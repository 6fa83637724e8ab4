"""The documentation's page of figures: `python -m tubelet.report.figures` makes it from stored results."""
