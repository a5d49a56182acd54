"""Fence detector states by a revision, and reset what a new detector cannot read."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

KEPT = (
    "jsonb_build_object('baseline_run_id', state->'baseline_run_id', 'noise', state->'noise', 'looks', state->'looks')"
)


def upgrade() -> None:
    """A state is written only on top of the revision it follows.

    The noise floor and the looks of the year stay; what was learned of single series is learned again.
    """
    op.add_column("detector_state", sa.Column("revision", sa.Integer(), nullable=False, server_default="1"))
    op.alter_column("detector_state", "revision", server_default=None)
    op.execute(f"UPDATE detector_state SET state = {KEPT} || jsonb_build_object('revision', 1)")  # noqa: S608 - a constant


def downgrade() -> None:
    """States without a revision; what only the new detector knows is dropped."""
    op.execute(f"UPDATE detector_state SET state = {KEPT}")  # noqa: S608 - a constant
    op.drop_column("detector_state", "revision")
