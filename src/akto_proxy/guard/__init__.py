"""Decide about text: rules, detectors, normalising views, the stream guard. No HTTP, no JSON bodies, no I/O."""
