"""Who dismissed an incident, also as the actor of its entry in the audit log."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"

DISMISSED = "WHEN (NEW.status = 'dismissed' AND OLD.status <> 'dismissed')"


def upgrade() -> None:
    """Incidents of earlier versions name the person in the reason only."""
    op.add_column("incident", sa.Column("dismissed_by", sa.Text(), nullable=False, server_default=""))
    _record("dismissed_by")


def downgrade() -> None:
    """Record dismissals without their actor, as revision 0006 does, and drop the column."""
    _record("")
    op.drop_column("incident", "dismissed_by")


def _record(actor: str) -> None:
    """Replace the trigger. The trigger is deferred to the commit, so none may be pending when it is dropped."""
    op.execute("DROP TRIGGER audit_dismissal ON incident")
    arguments = ", ".join(
        map(repr, ("incident.dismissed", actor, "incident_id", "reason", "target", "subject", "kind"))
    )
    op.execute(
        "CREATE CONSTRAINT TRIGGER audit_dismissal AFTER UPDATE ON incident DEFERRABLE INITIALLY DEFERRED "
        f"FOR EACH ROW {DISMISSED} EXECUTE FUNCTION audit_row({arguments})"
    )
