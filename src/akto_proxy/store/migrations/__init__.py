"""Alembic's folder for the control store: `versions/` holds append-only steps, run at start."""
