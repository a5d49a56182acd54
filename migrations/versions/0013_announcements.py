"""The outbox of swaps: which notifier has shown which one on its timeline."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"

_when = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Create the table. It is not known which earlier swaps arrived; those of the last day are sent again."""
    op.create_table(
        "announcement",
        sa.Column("run_id", sa.Text(), sa.ForeignKey("swap.run_id"), nullable=False),
        sa.Column("notifier", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("next_attempt_at", _when),
        sa.Column("leased_until", _when),
        sa.Column("announced_at", _when),
        sa.Column("reason", sa.Text()),
        sa.PrimaryKeyConstraint("run_id", "notifier", name="announcement_pkey"),
    )
    op.create_index("swap_detected_at_idx", "swap", ["detected_at"])


def downgrade() -> None:
    """Drop what only the new version knows."""
    op.drop_index("swap_detected_at_idx", "swap")
    op.drop_table("announcement")
