"""Whether a prediction's label is a tumour; not known of what was kept before."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the column; a gateway that does not know it goes on beside this one."""
    columns = {one["name"] for one in sa.inspect(op.get_bind()).get_columns("predictions")}
    if "label_is_tumour" not in columns:
        op.add_column("predictions", sa.Column("label_is_tumour", sa.Boolean(), nullable=True))
