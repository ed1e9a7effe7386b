"""Pages of a list: each row on one page, in order, from whichever end of the list its page was counted off."""

from itertools import product

from app.services import audit, builds
from tests.integration.plant import Plant

ROWS = 7


def test_every_page_is_its_part_of_the_list(plant: Plant) -> None:
    oldest_first = [plant.build({}).build for _ in range(ROWS)]
    newest_first = oldest_first[::-1]
    for limit, offset in product(range(1, ROWS + 2), range(ROWS + 2)):
        page = plant.database.read(builds.list_for_project, plant.project, limit, offset)
        assert [build.id for build in page.rows] == newest_first[offset : offset + limit]
        assert (page.total, page.has_more) == (ROWS, offset + limit < ROWS)


def test_every_page_of_one_kind_of_entry_is_its_part_of_those(plant: Plant) -> None:
    made = [plant.build({}).build for _ in range(ROWS)]
    for offset in range(ROWS + 1):
        page = plant.database.read(audit.list_entries, plant.project, "build.created", 2, offset)
        assert [entry.details["buildId"] for entry in page.rows] == made[::-1][offset : offset + 2]
