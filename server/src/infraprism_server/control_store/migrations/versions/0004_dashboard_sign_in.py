"""The dashboard's sign-in links and sessions.

Revision: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("sign_in_links", "dashboard_sessions"):
        op.create_table(
            name,
            sa.Column("hash", sa.LargeBinary(), nullable=False),
            sa.Column("account", sa.Integer(), nullable=False),
            sa.Column("created_at_us", sa.BigInteger(), nullable=False),
            sa.Column("expires_at_us", sa.BigInteger(), nullable=False),
            sa.ForeignKeyConstraint(["account"], ["accounts.number"], name=op.f(f"fk_{name}_account")),
            sa.PrimaryKeyConstraint("hash", name=op.f(f"pk_{name}")),
        )


def downgrade() -> None:
    raise NotImplementedError("restore the backup that was taken before the migration")
