"""The next due deliveries of an endpoint by index, and whether it answered when it was last asked.

Revision: 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "ix_deliveries_webhook_status_next_attempt_at_us_id",
        "deliveries",
        ["webhook", "status", "next_attempt_at_us", "id"],
    )
    # Not in a batch: that would drop the table under the deliveries that refer to it.
    op.add_column(
        "webhooks", sa.Column("answered", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    op.execute(sa.text("UPDATE webhooks SET answered = (failing_since_us IS NULL)"))


def downgrade() -> None:
    raise NotImplementedError("restore the backup that was taken before the migration")
