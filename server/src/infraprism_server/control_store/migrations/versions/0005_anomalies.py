"""Anomalies, their settings, planned activity, and how far each account was judged.

Revision: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('anomalies',
    sa.Column('id', sa.Text(), nullable=False),
    sa.Column('account', sa.Integer(), nullable=False),
    sa.Column('entity_type', sa.Text(), nullable=False),
    sa.Column('entity_id', sa.Text(), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('status', sa.Text(), nullable=False),
    sa.Column('start_us', sa.BigInteger(), nullable=False),
    sa.Column('end_us', sa.BigInteger(), nullable=False),
    sa.Column('closed', sa.Boolean(), nullable=False),
    sa.Column('new_normal', sa.Boolean(), nullable=False),
    sa.Column('severity', sa.Text(), nullable=False),
    sa.Column('detail', sa.Text(), nullable=False),
    sa.Column('detected_at_us', sa.BigInteger(), nullable=False),
    sa.Column('updated_at_us', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['account'], ['accounts.number'], name=op.f('fk_anomalies_account')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_anomalies')),
    sa.UniqueConstraint('account', 'entity_type', 'entity_id', 'kind', 'start_us', name=op.f('uq_anomalies_account_entity_type_entity_id_kind_start_us'))
    )
    op.create_index('ix_anomalies_account_detected_at_us', 'anomalies', ['account', 'detected_at_us'], unique=False)
    op.create_index('ix_anomalies_account_end_us', 'anomalies', ['account', 'end_us'], unique=False)
    op.create_table('anomaly_settings',
    sa.Column('account', sa.Integer(), nullable=False),
    sa.Column('sensitivity', sa.Text(), nullable=False),
    sa.Column('minimum_impact_pico', sa.Text(), nullable=False),
    sa.Column('watched_types', sa.Text(), nullable=True),
    sa.Column('snoozed_until_us', sa.BigInteger(), nullable=True),
    sa.ForeignKeyConstraint(['account'], ['accounts.number'], name=op.f('fk_anomaly_settings_account')),
    sa.PrimaryKeyConstraint('account', name=op.f('pk_anomaly_settings'))
    )
    op.create_table('planned_activities',
    sa.Column('id', sa.Text(), nullable=False),
    sa.Column('account', sa.Integer(), nullable=False),
    sa.Column('entity_type', sa.Text(), nullable=False),
    sa.Column('entity_id', sa.Text(), nullable=False),
    sa.Column('start_us', sa.BigInteger(), nullable=False),
    sa.Column('end_us', sa.BigInteger(), nullable=False),
    sa.Column('note', sa.Text(), nullable=False),
    sa.Column('created_at_us', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['account'], ['accounts.number'], name=op.f('fk_planned_activities_account')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_planned_activities'))
    )
    op.create_index(op.f('ix_planned_activities_account'), 'planned_activities', ['account'], unique=False)
    op.create_table('anomaly_runs',
    sa.Column('account', sa.Integer(), nullable=False),
    sa.Column('judged_to_hour', sa.BigInteger(), nullable=False),
    sa.Column('ran_at_us', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['account'], ['accounts.number'], name=op.f('fk_anomaly_runs_account')),
    sa.PrimaryKeyConstraint('account', name=op.f('pk_anomaly_runs'))
    )


def downgrade() -> None:
    raise NotImplementedError("restore the backup that was taken before the migration")
