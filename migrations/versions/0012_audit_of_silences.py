"""The audit log records silences: who set one, for which alerts and why, and who ended it."""

from alembic import op

revision = "0012"
down_revision = "0011"

ENDED = "WHEN (NEW.ended_at IS DISTINCT FROM OLD.ended_at AND NEW.ended_at IS NOT NULL)"
RECORDED = {
    # trigger: (event, condition, action, actor, subject, reason, columns of the detail); as in revision 0006
    "audit_silence": (
        *("INSERT", "", "silence.added", "author", "silence_id", "reason"),
        *("match", "starts_at", "ends_at", "daily", "zone", "weekdays"),
    ),
    "audit_silence_end": ("UPDATE", ENDED, "silence.ended", "ended_by", "silence_id", "", "author", "match"),
}


def upgrade() -> None:
    """Add the triggers; they are deferred to the commit, as those of revision 0006."""
    for name, (event, condition, *arguments) in RECORDED.items():
        op.execute(
            f"CREATE CONSTRAINT TRIGGER {name} AFTER {event} ON silence DEFERRABLE INITIALLY DEFERRED "
            f"FOR EACH ROW {condition} EXECUTE FUNCTION audit_row({', '.join(map(repr, arguments))})"
        )


def downgrade() -> None:
    """Drop what only the new version knows."""
    for name in RECORDED:
        op.execute(f"DROP TRIGGER {name} ON silence")
