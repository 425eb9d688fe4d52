"""Proxies say why they do not run the newest policy."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column, empty for proxies that spoke before."""
    op.add_column("health", sa.Column("policy_problem", sa.Text(), nullable=False, server_default=""))
