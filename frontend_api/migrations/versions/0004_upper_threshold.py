"""A prediction's upper threshold; not known of what was kept before."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the column; a gateway that does not know it goes on beside this one."""
    columns = {one["name"] for one in sa.inspect(op.get_bind()).get_columns("predictions")}
    if "upper_threshold" not in columns:
        op.add_column("predictions", sa.Column("upper_threshold", sa.Double(), nullable=True))
