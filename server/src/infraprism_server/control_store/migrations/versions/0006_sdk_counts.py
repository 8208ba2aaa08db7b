"""What the SDKs reported, added up.

Revision: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('sdk_counts',
    sa.Column('account', sa.Integer(), nullable=False),
    sa.Column('day', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('version', sa.Text(), nullable=False),
    sa.Column('runtime', sa.Text(), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('count', sa.BigInteger(), nullable=False),
    sa.Column('updated_at_us', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['account'], ['accounts.number'], name=op.f('fk_sdk_counts_account')),
    sa.PrimaryKeyConstraint('account', 'day', 'version', 'runtime', 'kind', 'name', name=op.f('pk_sdk_counts'))
    )


def downgrade() -> None:
    raise NotImplementedError("restore the backup that was taken before the migration")
