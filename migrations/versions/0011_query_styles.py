"""The style of a query, and the parts of its answer."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Add the columns; suites of earlier versions have neither styles nor parts."""
    op.add_column("suite_query", sa.Column("style", sa.Text(), nullable=False, server_default=""))
    op.add_column("suite_query", sa.Column("answer_parts", postgresql.JSONB(), nullable=False, server_default="[]"))


def downgrade() -> None:
    """Drop what only the new version knows."""
    op.drop_column("suite_query", "answer_parts")
    op.drop_column("suite_query", "style")
