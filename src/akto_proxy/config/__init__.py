"""What the operator chose: the only place that reads files and environment."""
