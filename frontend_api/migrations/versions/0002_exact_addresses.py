"""Addresses of accounts are compared exactly on MySQL too."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Change the collation; other databases compare exactly by themselves."""
    if op.get_bind().dialect.name in {"mysql", "mariadb"}:
        op.alter_column(
            "users",
            "email",
            existing_type=sa.String(254),
            existing_nullable=False,
            type_=mysql.VARCHAR(254, charset="utf8mb4", collation="utf8mb4_bin"),
        )
