"""Rename the table of the detector's state to the word of the model."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """``vigil`` becomes ``detector_state``."""
    # The first editions of 0001 did not create the table.
    if not sa.inspect(op.get_bind()).has_table("vigil"):
        op.create_table(
            "vigil",
            sa.Column("target", sa.Text(), nullable=False),
            sa.Column("suite_name", sa.Text(), nullable=False),
            sa.Column("state", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
            sa.PrimaryKeyConstraint("target", "suite_name", name=op.f("vigil_pkey")),
        )
    op.rename_table("vigil", "detector_state")
    op.execute("ALTER INDEX vigil_pkey RENAME TO detector_state_pkey")


def downgrade() -> None:
    """Rename ``detector_state`` back to ``vigil``."""
    op.execute("ALTER INDEX detector_state_pkey RENAME TO vigil_pkey")
    op.rename_table("detector_state", "vigil")
