"""Traces in, anomalies, alerts and incidents out."""
