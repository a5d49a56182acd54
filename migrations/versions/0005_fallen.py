"""Remember with an incident what fell, so that its recovery can be judged by that."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """An incident of an earlier version recovers by passed verdicts alone."""
    empty = sa.text("'[]'::jsonb")
    op.add_column("incident", sa.Column("fallen", postgresql.JSONB(), nullable=False, server_default=empty))
    op.alter_column("incident", "fallen", server_default=None)


def downgrade() -> None:
    """Drop what fell."""
    op.drop_column("incident", "fallen")
