"""The first schema.

Revision: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('accounts',
    sa.Column('number', sa.Integer(), autoincrement=True, nullable=False),
    sa.Column('id', sa.Text(), nullable=False),
    sa.Column('email', sa.Text(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('company', sa.Text(), nullable=False),
    sa.Column('plan', sa.Text(), nullable=False),
    sa.Column('rate_limit_per_minute', sa.Integer(), nullable=True),
    sa.Column('timezone', sa.Text(), nullable=False),
    sa.Column('retention_days', sa.Integer(), nullable=True),
    sa.Column('created_at_us', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('number', name=op.f('pk_accounts')),
    sa.UniqueConstraint('email', name=op.f('uq_accounts_email')),
    sa.UniqueConstraint('id', name=op.f('uq_accounts_id'))
    )
    op.create_table('installation',
    sa.Column('instance_id', sa.Text(), nullable=False),
    sa.Column('created_at_us', sa.BigInteger(), nullable=False),
    sa.Column('written_by', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('instance_id', name=op.f('pk_installation'))
    )
    op.create_table('price_rates',
    sa.Column('id', sa.Integer(), autoincrement=True, nullable=False),
    sa.Column('digest', sa.Text(), nullable=False),
    sa.Column('provider', sa.Text(), nullable=False),
    sa.Column('model', sa.Text(), nullable=False),
    sa.Column('rates', sa.Text(), nullable=False),
    sa.Column('created_at_us', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_price_rates')),
    sa.UniqueConstraint('digest', name=op.f('uq_price_rates_digest'))
    )
    op.create_table('api_keys',
    sa.Column('id', sa.Text(), nullable=False),
    sa.Column('account', sa.Integer(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('prefix', sa.Text(), nullable=False),
    sa.Column('hash', sa.LargeBinary(), nullable=False),
    sa.Column('scopes', sa.Text(), nullable=False),
    sa.Column('created_at_us', sa.BigInteger(), nullable=False),
    sa.Column('expires_at_us', sa.BigInteger(), nullable=True),
    sa.Column('last_used_at_us', sa.BigInteger(), nullable=True),
    sa.ForeignKeyConstraint(['account'], ['accounts.number'], name=op.f('fk_api_keys_account')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_api_keys')),
    sa.UniqueConstraint('hash', name=op.f('uq_api_keys_hash'))
    )
    op.create_index(op.f('ix_api_keys_account'), 'api_keys', ['account'], unique=False)
    op.create_table('entities',
    sa.Column('account', sa.Integer(), nullable=False),
    sa.Column('entity_type', sa.Text(), nullable=False),
    sa.Column('entity_id', sa.Text(), nullable=False),
    sa.Column('name', sa.Text(), nullable=True),
    sa.Column('metadata', sa.Text(), nullable=False),
    sa.Column('revenue_usd_monthly', sa.Text(), nullable=True),
    sa.Column('updated_at_us', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['account'], ['accounts.number'], name=op.f('fk_entities_account')),
    sa.PrimaryKeyConstraint('account', 'entity_type', 'entity_id', name=op.f('pk_entities'))
    )
    op.create_table('idempotency_keys',
    sa.Column('account', sa.Integer(), nullable=False),
    sa.Column('key', sa.Text(), nullable=False),
    sa.Column('route', sa.Text(), nullable=False),
    sa.Column('body_hash', sa.LargeBinary(), nullable=False),
    sa.Column('holds_secret', sa.Boolean(), nullable=False),
    sa.Column('object_id', sa.Text(), nullable=False),
    sa.Column('status', sa.Integer(), nullable=False),
    sa.Column('answer', sa.LargeBinary(), nullable=True),
    sa.Column('created_at_us', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['account'], ['accounts.number'], name=op.f('fk_idempotency_keys_account')),
    sa.UniqueConstraint('account', 'key', name=op.f('uq_idempotency_keys_account_key'))
    )
    op.create_index(op.f('ix_idempotency_keys_created_at_us'), 'idempotency_keys', ['created_at_us'], unique=False)
    op.create_table('jobs',
    sa.Column('id', sa.Text(), nullable=False),
    sa.Column('account', sa.Integer(), nullable=True),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('status', sa.Text(), nullable=False),
    sa.Column('input', sa.Text(), nullable=False),
    sa.Column('progress', sa.Text(), nullable=False),
    sa.Column('result', sa.Text(), nullable=True),
    sa.Column('error', sa.Text(), nullable=True),
    sa.Column('attempts', sa.Integer(), nullable=False),
    sa.Column('leased_until_us', sa.BigInteger(), nullable=True),
    sa.Column('lease', sa.Text(), nullable=True),
    sa.Column('created_at_us', sa.BigInteger(), nullable=False),
    sa.Column('finished_at_us', sa.BigInteger(), nullable=True),
    sa.ForeignKeyConstraint(['account'], ['accounts.number'], name=op.f('fk_jobs_account')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_jobs'))
    )
    op.create_index(op.f('ix_jobs_account'), 'jobs', ['account'], unique=False)
    op.create_index('ix_jobs_status_created_at_us', 'jobs', ['status', 'created_at_us'], unique=False)
    op.create_table('price_overrides',
    sa.Column('id', sa.Text(), nullable=False),
    sa.Column('account', sa.Integer(), nullable=False),
    sa.Column('provider', sa.Text(), nullable=False),
    sa.Column('match', sa.Text(), nullable=False),
    sa.Column('model', sa.Text(), nullable=True),
    sa.Column('rates', sa.Text(), nullable=True),
    sa.Column('discount_percent', sa.Text(), nullable=True),
    sa.Column('effective_from_us', sa.BigInteger(), nullable=True),
    sa.Column('effective_to_us', sa.BigInteger(), nullable=True),
    sa.Column('note', sa.Text(), nullable=True),
    sa.Column('created_at_us', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['account'], ['accounts.number'], name=op.f('fk_price_overrides_account')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_price_overrides'))
    )
    op.create_index(op.f('ix_price_overrides_account'), 'price_overrides', ['account'], unique=False)


def downgrade() -> None:
    raise NotImplementedError("restore the backup that was taken before the migration")
