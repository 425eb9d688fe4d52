"""A security proxy for private LLM inference.

It stands between a caller and a Hugging Face inference endpoint (or an agent application), reads every text that
passes in either direction, and lets it pass, alerts, redacts or blocks. ARCHITECTURE.md is the map.
"""
