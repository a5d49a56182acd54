"""Rename the table of the detector's state to the word of the model."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """``vigil`` becomes ``detector_state``."""
    op.rename_table("vigil", "detector_state")
    op.execute("ALTER INDEX vigil_pkey RENAME TO detector_state_pkey")


def downgrade() -> None:
    """Back to ``vigil``."""
    op.execute("ALTER INDEX detector_state_pkey RENAME TO vigil_pkey")
    op.rename_table("detector_state", "vigil")
