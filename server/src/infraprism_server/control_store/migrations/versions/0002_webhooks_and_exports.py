"""The outbox, webhooks with their deliveries, and exports.

Revision: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('exports',
    sa.Column('id', sa.Text(), nullable=False),
    sa.Column('account', sa.Integer(), nullable=False),
    sa.Column('format', sa.Text(), nullable=False),
    sa.Column('base_url', sa.Text(), nullable=False),
    sa.Column('rows_total', sa.BigInteger(), nullable=False),
    sa.Column('bytes', sa.BigInteger(), nullable=True),
    sa.Column('created_at_us', sa.BigInteger(), nullable=False),
    sa.Column('completed_at_us', sa.BigInteger(), nullable=True),
    sa.Column('expires_at_us', sa.BigInteger(), nullable=True),
    sa.Column('purged', sa.Boolean(), nullable=False),
    sa.ForeignKeyConstraint(['account'], ['accounts.number'], name=op.f('fk_exports_account')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_exports'))
    )
    op.create_index('ix_exports_account_created_at_us', 'exports', ['account', 'created_at_us'], unique=False)
    op.create_table('outbox',
    sa.Column('id', sa.Text(), nullable=False),
    sa.Column('account', sa.Integer(), nullable=False),
    sa.Column('type', sa.Text(), nullable=False),
    sa.Column('data', sa.Text(), nullable=False),
    sa.Column('created_at_us', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['account'], ['accounts.number'], name=op.f('fk_outbox_account')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_outbox'))
    )
    op.create_table('webhooks',
    sa.Column('id', sa.Text(), nullable=False),
    sa.Column('account', sa.Integer(), nullable=False),
    sa.Column('url', sa.Text(), nullable=False),
    sa.Column('events', sa.Text(), nullable=False),
    sa.Column('enabled', sa.Boolean(), nullable=False),
    sa.Column('disabled_reason', sa.Text(), nullable=True),
    sa.Column('secret', sa.LargeBinary(), nullable=False),
    sa.Column('former_secret', sa.LargeBinary(), nullable=True),
    sa.Column('former_secret_until_us', sa.BigInteger(), nullable=True),
    sa.Column('failing_since_us', sa.BigInteger(), nullable=True),
    sa.Column('created_at_us', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['account'], ['accounts.number'], name=op.f('fk_webhooks_account')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_webhooks'))
    )
    op.create_index(op.f('ix_webhooks_account'), 'webhooks', ['account'], unique=False)
    op.create_table('deliveries',
    sa.Column('id', sa.Text(), nullable=False),
    sa.Column('account', sa.Integer(), nullable=False),
    sa.Column('webhook', sa.Text(), nullable=False),
    sa.Column('message', sa.Text(), nullable=False),
    sa.Column('type', sa.Text(), nullable=False),
    sa.Column('body', sa.Text(), nullable=False),
    sa.Column('status', sa.Text(), nullable=False),
    sa.Column('attempts', sa.Integer(), nullable=False),
    sa.Column('round_start', sa.Integer(), nullable=False),
    sa.Column('next_attempt_at_us', sa.BigInteger(), nullable=True),
    sa.Column('lease', sa.Text(), nullable=True),
    sa.Column('leased_until_us', sa.BigInteger(), nullable=True),
    sa.Column('created_at_us', sa.BigInteger(), nullable=False),
    sa.Column('finished_at_us', sa.BigInteger(), nullable=True),
    sa.ForeignKeyConstraint(['account'], ['accounts.number'], name=op.f('fk_deliveries_account')),
    sa.ForeignKeyConstraint(['webhook'], ['webhooks.id'], name=op.f('fk_deliveries_webhook')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_deliveries')),
    sa.UniqueConstraint('webhook', 'message', name=op.f('uq_deliveries_webhook_message'))
    )
    op.create_index('ix_deliveries_status_next_attempt_at_us', 'deliveries', ['status', 'next_attempt_at_us'], unique=False)
    op.create_index('ix_deliveries_webhook_created_at_us', 'deliveries', ['webhook', 'created_at_us'], unique=False)
    op.create_table('delivery_attempts',
    sa.Column('delivery', sa.Text(), nullable=False),
    sa.Column('number', sa.Integer(), nullable=False),
    sa.Column('started_at_us', sa.BigInteger(), nullable=False),
    sa.Column('duration_ms', sa.Integer(), nullable=False),
    sa.Column('status_code', sa.Integer(), nullable=True),
    sa.Column('error', sa.Text(), nullable=True),
    sa.Column('response_excerpt', sa.Text(), nullable=True),
    sa.ForeignKeyConstraint(['delivery'], ['deliveries.id'], name=op.f('fk_delivery_attempts_delivery')),
    sa.PrimaryKeyConstraint('delivery', 'number', name=op.f('pk_delivery_attempts'))
    )


def downgrade() -> None:
    raise NotImplementedError("restore the backup that was taken before the migration")
