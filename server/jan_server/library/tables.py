"""The tables of the models' database, as they are after the newest migration."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, Float, ForeignKey, MetaData, String, Table, Text

__all__ = ["aliases", "folders", "metadata", "models"]

metadata = MetaData()

models = Table(
    "model",
    metadata,
    Column("id", String, primary_key=True),
    Column("placement", String, nullable=False),
    Column("source", String, nullable=False, index=True),
    Column("folder", String, ForeignKey("folder.path", ondelete="CASCADE"), nullable=True),
    Column("files", JSON, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("modified_ns", BigInteger, nullable=False),
    Column("name", String, nullable=False),
    Column("description", Text, nullable=False),
    Column("author", String, nullable=False),
    Column("license", String, nullable=False),
    Column("architecture", String, nullable=False),
    Column("quantization", String, nullable=False),
    Column("size_label", String, nullable=False),
    Column("n_params", BigInteger, nullable=False),
    Column("bits_per_weight", Float, nullable=False),
    Column("n_ctx_train", BigInteger, nullable=False),
    Column("chat_template", Text, nullable=False),
    Column("settings", JSON, nullable=False),
)

aliases = Table(
    "alias",
    metadata,
    Column("name", String, primary_key=True),
    Column(
        "model_id", String, ForeignKey("model.id", ondelete="CASCADE"), nullable=False, index=True
    ),
)

folders = Table(
    "folder",
    metadata,
    Column("path", String, primary_key=True),
    Column("kind", String, nullable=False),
)
