"""The control plane: tables, migrations and the engine, SQLAlchemy Core."""
