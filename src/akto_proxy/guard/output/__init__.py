"""Detectors by structure, mostly for what a model answers: leaks, links that carry data, code, odd addresses, form."""
