"""Detectors that were taught: prompt attacks, harmful requests, names. Pure numpy over weights that are handed in."""
