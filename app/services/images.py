"""The images that steps may name."""

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.domain.audit import AuditAction
from app.domain.errors import Conflict
from app.models import DockerImage
from app.models.batches import batches
from app.services.trail import Trail


def create(session: Session, slug: str, image_url: str, public: bool) -> DockerImage:
    """Register an image. Of two who want the same slug at once the database lets one through: Conflict."""
    with Trail(session, actor="api") as trail:
        image = DockerImage(slug=slug, image_url=image_url, public=public, created_at=trail.now)
        try:
            with session.begin_nested():
                session.add(image)
        except IntegrityError:
            raise Conflict(f"a docker image with the slug '{slug}' already exists", "slug_taken") from None
        trail.record(AuditAction.IMAGE_CREATED, None, imageId=image.id, slug=slug, imageUrl=image_url, public=public)
    return image


def list_all(session: Session, public: bool | None = None) -> Sequence[DockerImage]:
    """Images, oldest first; only the public ones where `public` is true."""
    query = select(DockerImage).order_by(DockerImage.id)
    return session.scalars(query.where(DockerImage.public) if public else query).all()


def urls_by_slug(session: Session, slugs: Iterable[str]) -> Mapping[str, str]:
    """The image URL of every slug that is registered."""
    found: dict[str, str] = {}
    for batch in batches(sorted(set(slugs))):
        rows = session.execute(select(DockerImage.slug, DockerImage.image_url).where(DockerImage.slug.in_(batch)))
        found.update((slug, url) for slug, url in rows)
    return found
