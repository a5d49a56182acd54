"""Slots of schedules, signs of life, and counts that the daemon need not recompute every few seconds."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010"
down_revision = "0009"

_when = sa.DateTime(timezone=True)

FIRED = "{row}.kind = 'regression' AND {row}.fired_at IS NOT NULL"
CONFIRMED = "({row}.acknowledged_at IS NOT NULL OR {row}.resolution = 'rolled_back') AND {row}.status <> 'dismissed'"
DISMISSED = "{row}.status = 'dismissed'"


def _count(row: str, sign: str) -> str:
    """Add or take away what one incident counts for."""
    fired, confirmed, dismissed = (each.format(row=row) for each in (FIRED, CONFIRMED, DISMISSED))
    return f"""
        IF {fired} THEN
            INSERT INTO incident_tally AS tally VALUES ({row}.target, {row}.policy, {sign}1,
                {sign}({confirmed})::int, {sign}({dismissed})::int)
            ON CONFLICT (target, policy) DO UPDATE SET fired = tally.fired + excluded.fired,
                confirmed = tally.confirmed + excluded.confirmed, dismissed = tally.dismissed + excluded.dismissed;
        END IF;"""  # noqa: S608 - constants of this file


FUNCTION = f"""
CREATE FUNCTION incident_tally() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN {_count("OLD", "-")} END IF;
    IF TG_OP <> 'DELETE' THEN {_count("NEW", "+")} END IF;
    RETURN NULL;
END $$
"""


def upgrade() -> None:
    """Create the tables and indexes, and count the incidents so far."""
    op.create_table(
        "slot",
        sa.Column("schedule", sa.Text(), nullable=False),
        sa.Column("scheduled_at", _when, nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("owner", "plan_digest", "status")),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in ("heartbeat", "takeovers")),
        sa.Column("claimed_at", _when, nullable=False),
        sa.Column("finished_at", _when),
        sa.Column("has_data", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("schedule", "scheduled_at", name="slot_pkey"),
    )
    op.create_index("slot_data_idx", "slot", ["schedule", "finished_at"], postgresql_where=sa.text("has_data"))
    op.create_table(
        "peer",
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("heartbeat", sa.Integer(), nullable=False),
        sa.Column("schedules", postgresql.JSONB(), nullable=False),
        sa.PrimaryKeyConstraint("owner", name="peer_pkey"),
    )
    op.create_table(
        "served_schedule",
        sa.Column("installation", sa.Text(), nullable=False),
        sa.Column("schedule", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("installation", "schedule", name="served_schedule_pkey"),
    )
    op.create_table(
        "incident_tally",
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("target", "policy")),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in ("fired", "confirmed", "dismissed")),
        sa.PrimaryKeyConstraint("target", "policy", name="incident_tally_pkey"),
    )
    op.create_index("delivery_dead_idx", "delivery", ["delivery_id"], postgresql_where=sa.text("state = 'dead'"))
    op.execute(FUNCTION)
    op.execute(
        "CREATE TRIGGER incident_tally AFTER INSERT OR UPDATE OR DELETE ON incident "
        "FOR EACH ROW EXECUTE FUNCTION incident_tally()"
    )
    fired, confirmed, dismissed = (each.format(row="incident") for each in (FIRED, CONFIRMED, DISMISSED))
    op.execute(
        "INSERT INTO incident_tally SELECT target, policy, count(*), "  # noqa: S608 - constants of this file
        f"count(*) FILTER (WHERE {confirmed}), count(*) FILTER (WHERE {dismissed}) "
        f"FROM incident WHERE {fired} GROUP BY target, policy"
    )


def downgrade() -> None:
    """Drop them."""
    op.execute("DROP TRIGGER incident_tally ON incident")
    op.execute("DROP FUNCTION incident_tally()")
    op.drop_index("delivery_dead_idx", "delivery")
    for table in ("incident_tally", "served_schedule", "peer", "slot"):
        op.drop_table(table)
