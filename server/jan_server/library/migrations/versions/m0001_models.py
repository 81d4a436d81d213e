"""Models, further names of them, and folders of other tools."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "folder",
        sa.Column("path", sa.String, primary_key=True),
        sa.Column("kind", sa.String, nullable=False),
    )
    op.create_table(
        "model",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("placement", sa.String, nullable=False),
        sa.Column("source", sa.String, nullable=False),
        sa.Column(
            "folder", sa.String, sa.ForeignKey("folder.path", ondelete="CASCADE"), nullable=True
        ),
        sa.Column("files", sa.JSON, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("modified_ns", sa.BigInteger, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("author", sa.String, nullable=False),
        sa.Column("license", sa.String, nullable=False),
        sa.Column("architecture", sa.String, nullable=False),
        sa.Column("quantization", sa.String, nullable=False),
        sa.Column("size_label", sa.String, nullable=False),
        sa.Column("n_params", sa.BigInteger, nullable=False),
        sa.Column("bits_per_weight", sa.Float, nullable=False),
        sa.Column("n_ctx_train", sa.BigInteger, nullable=False),
        sa.Column("chat_template", sa.Text, nullable=False),
        sa.Column("settings", sa.JSON, nullable=False),
    )
    op.create_index("ix_model_source", "model", ["source"])
    op.create_table(
        "alias",
        sa.Column("name", sa.String, primary_key=True),
        sa.Column(
            "model_id",
            sa.String,
            sa.ForeignKey("model.id", ondelete="CASCADE"),
            nullable=False,
        ),
    )
    op.create_index("ix_alias_model_id", "alias", ["model_id"])


def downgrade() -> None:
    op.drop_table("alias")
    op.drop_table("model")
    op.drop_table("folder")
