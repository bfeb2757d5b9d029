"""Runs the revisions on the connection that `frontend_api.migrations.upgrade` opened."""

from alembic import context

from frontend_api.auth import repository as _auth
from frontend_api.predictions import repository as _predictions
from frontend_api.users.repository import User

TABLES = (_auth.RefreshToken, _predictions.Prediction, User)

context.configure(connection=context.config.attributes["connection"], target_metadata=User.metadata)
with context.begin_transaction():
    context.run_migrations()
