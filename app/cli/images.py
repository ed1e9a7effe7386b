"""Registers the images that a workflow file names: an image reference goes in, the slug to use for it comes out."""

import hashlib
import re
from http import HTTPStatus

from app.cli.client import ApiClient
from app.cli.errors import Refused
from app.domain.limits import SLUG_LENGTH

DIGEST_LENGTH = 8


def register_images(client: ApiClient, references: list[str]) -> dict[str, str]:
    """The slug of each reference. An image that is registered already keeps the slug it has, whoever chose it."""
    known = {image.image_url: image.slug for image in client.images()}
    return {reference: known.get(reference) or _register(client, reference) for reference in references}


def plain_slug(reference: str) -> str:
    """The reference as a slug that reads well: `alpine:3.20` → `alpine-3.20`. Two references may share one."""
    return re.sub(r"[^A-Za-z0-9._]+", "-", reference).strip("-")[:SLUG_LENGTH]


def distinct_slug(reference: str) -> str:
    """A slug that no other reference has: the end of a digest makes it so."""
    digest = hashlib.sha256(reference.encode()).hexdigest()[:DIGEST_LENGTH]
    return f"{plain_slug(reference)[: SLUG_LENGTH - DIGEST_LENGTH - 1]}-{digest}"


def _register(client: ApiClient, reference: str) -> str:
    for slug in (plain_slug(reference), distinct_slug(reference)):
        if _create(client, slug, reference):
            return slug
    return distinct_slug(reference)


def _create(client: ApiClient, slug: str, reference: str) -> bool:
    """Whether the slug now stands for the reference; it does not if somebody uses it for another one."""
    try:
        client.create_image(slug, reference)
    except Refused as error:
        if error.status != HTTPStatus.CONFLICT:
            raise
        return any(image.slug == slug and image.image_url == reference for image in client.images())
    return True
