"""Limits, what was told of them, and the days on which an unpriced model was told of.

Revision: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('limits',
    sa.Column('id', sa.Text(), nullable=False),
    sa.Column('account', sa.Integer(), nullable=False),
    sa.Column('entity_type', sa.Text(), nullable=False),
    sa.Column('entity_id', sa.Text(), nullable=False),
    sa.Column('metric', sa.Text(), nullable=False),
    sa.Column('amount', sa.Text(), nullable=False),
    sa.Column('period', sa.Text(), nullable=False),
    sa.Column('timezone', sa.Text(), nullable=False),
    sa.Column('action', sa.Text(), nullable=False),
    sa.Column('approaching', sa.Text(), nullable=False),
    sa.Column('created_at_us', sa.BigInteger(), nullable=False),
    sa.Column('updated_at_us', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['account'], ['accounts.number'], name=op.f('fk_limits_account')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_limits'))
    )
    op.create_index('ix_limits_account_created_at_us', 'limits', ['account', 'created_at_us'], unique=False)
    op.create_table('limit_alerts',
    sa.Column('limit_id', sa.Text(), nullable=False),
    sa.Column('amount', sa.Text(), nullable=False),
    sa.Column('entity_id', sa.Text(), nullable=False),
    sa.Column('period', sa.Text(), nullable=False),
    sa.Column('period_start_us', sa.BigInteger(), nullable=False),
    sa.Column('threshold', sa.Text(), nullable=False),
    sa.Column('account', sa.Integer(), nullable=False),
    sa.Column('created_at_us', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['account'], ['accounts.number'], name=op.f('fk_limit_alerts_account')),
    sa.ForeignKeyConstraint(['limit_id'], ['limits.id'], name=op.f('fk_limit_alerts_limit_id')),
    sa.PrimaryKeyConstraint('limit_id', 'amount', 'entity_id', 'period', 'period_start_us', 'threshold', name=op.f('pk_limit_alerts'))
    )
    op.create_index('ix_limit_alerts_account_period_start_us', 'limit_alerts', ['account', 'period_start_us'], unique=False)
    op.create_table('unpriced_alerts',
    sa.Column('account', sa.Integer(), nullable=False),
    sa.Column('day', sa.Text(), nullable=False),
    sa.Column('created_at_us', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['account'], ['accounts.number'], name=op.f('fk_unpriced_alerts_account')),
    sa.PrimaryKeyConstraint('account', 'day', name=op.f('pk_unpriced_alerts'))
    )


def downgrade() -> None:
    raise NotImplementedError("restore the backup that was taken before the migration")
