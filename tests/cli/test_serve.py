"""The server's process: whom a request concerns, and what is kept how long."""

import pytest

from akto_proxy.cli.serve import Dispatcher, control_url, retention, store_url
from akto_proxy.collector.app import OWNED
from akto_proxy.config.settings import load
from akto_proxy.errors import ConfigError
from akto_proxy.store.face import Retention


async def told(path: str, kind: str = "http") -> str:
    """Which of the two apps is asked."""
    seen: list[str] = []

    def app(name: str):
        async def ask(scope, receive, send):
            seen.append(name)

        return ask

    await Dispatcher(app("collector"), app("pages"))({"type": kind, "path": path}, None, None)
    return seen[0]


@pytest.mark.parametrize("path", [*OWNED, "/v1/traces/0123"])
async def test_the_collectors_own_paths_go_to_it(path: str):
    assert await told(path) == "collector"


@pytest.mark.parametrize("path", ["/", "/traces", "/api/v1/traces", "/v1/tracesx", "/api", "/setup"])
async def test_everything_else_is_pages(path: str):
    assert await told(path) == "pages"


async def test_start_and_stop_are_the_collectors():
    assert await told("", "lifespan") == "collector"


def test_retention_is_by_sensitivity_and_size():
    given = load(
        {"RETENTION_DAYS": "30", "RETENTION_BY_SENSITIVITY": "restricted=7, public=0", "RETENTION_MAX_SIZE": "9"}
    )
    assert retention(given) == Retention((("", 30.0), ("restricted", 7.0), ("public", 0.0)), 9)
    assert retention(load({})) == Retention((("", 30.0),), 0)


@pytest.mark.parametrize("value", ["secret=7", "restricted", "restricted=soon", "restricted=-1", "=7"])
def test_a_retention_that_is_none_is_refused(value: str):
    with pytest.raises(ConfigError, match="SENSITIVITY=DAYS"):
        load({"RETENTION_BY_SENSITIVITY": value})


def test_stores_are_in_the_data_folder_unless_said_otherwise(tmp_path):
    given = load({"DATA_DIR": str(tmp_path)})
    assert store_url(given) == f"sqlite:///{tmp_path}/traces.db"
    assert control_url(load({"CONTROL_URL": "postgresql://u@h/d"})) == "postgresql://u@h/d"
