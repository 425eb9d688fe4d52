"""A crash-safe queue of traces on the proxy's own disk."""
