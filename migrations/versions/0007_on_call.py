"""Silences set by people, reminders, receipts of messages, and the extent of a drop that identifies an incident."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """An incident of an earlier version has no extent: what fell then counts as known, whatever its size."""
    empty = sa.text("'{}'::jsonb")
    op.add_column("incident", sa.Column("bounds", postgresql.JSONB(), nullable=False, server_default=empty))
    op.alter_column("incident", "bounds", server_default=None)
    op.add_column("incident", sa.Column("reminded_at", sa.DateTime(timezone=True)))
    op.create_index("incident_subject_idx", "incident", ["kind", "subject", "opened_at"])
    op.add_column("delivery", sa.Column("receipt", sa.Text()))
    op.create_table(
        "silence",
        sa.Column("silence_id", sa.Text(), primary_key=True),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("match", postgresql.JSONB(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True)),
        sa.Column("ends_at", sa.DateTime(timezone=True)),
        sa.Column("daily", postgresql.JSONB()),
        sa.Column("zone", sa.Text(), nullable=False),
        sa.Column("weekdays", postgresql.JSONB(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_by", sa.Text()),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
    )


def downgrade() -> None:
    """Drop what only the new version knows."""
    op.drop_table("silence")
    op.drop_column("delivery", "receipt")
    op.drop_index("incident_subject_idx", "incident")
    op.drop_column("incident", "reminded_at")
    op.drop_column("incident", "bounds")
