"""Projects, workflows and the images their steps name: what clients define."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Boolean, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.domain.limits import NAME_LENGTH, SLUG_LENGTH
from app.models.base import ID_LENGTH, Base, UtcDateTime, new_id


class Project(Base):
    """What builds belong to; an account has any number of them, and names need not differ."""

    __tablename__ = "projects"
    __table_args__ = (Index(None, "account_id", "id"),)

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True, default=new_id)
    account_id: Mapped[str] = mapped_column(String)
    name: Mapped[str] = mapped_column(String(NAME_LENGTH))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Workflow(Base):
    """A graph of steps. `steps` is what was posted, checked and in the API's own field names; it never changes."""

    __tablename__ = "workflows"
    __table_args__ = (UniqueConstraint("id", "project_id"), Index(None, "project_id", "id"))

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True, default=new_id)
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id"))
    name: Mapped[str] = mapped_column(String(NAME_LENGTH))
    steps: Mapped[list[dict[str, Any]]] = mapped_column(JSON, deferred=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)


class DockerImage(Base):
    """An image steps may name by its slug; the unique constraint decides between two who want the same one."""

    __tablename__ = "docker_images"

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True, default=new_id)
    slug: Mapped[str] = mapped_column(String(SLUG_LENGTH), unique=True)
    image_url: Mapped[str] = mapped_column(String)
    public: Mapped[bool] = mapped_column(Boolean)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
