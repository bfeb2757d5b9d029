"""Health, metrics, the page and the API's description."""

import asyncio
import json
import threading
from typing import Any

import httpx
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from frontend_api import docs, migrations, openapi
from frontend_api.database import Base, Database, make_engine, new_id
from frontend_api.health.service import HealthService
from frontend_api.models.champion import Champion
from frontend_api.settings import GatewaySettings
from gyrus.errors import Unavailable
from gyrus.launch.ports import pick_ports


async def test_the_gateway_lives_before_gyrus_is_ready(gateway: Any) -> None:
    assert (await gateway.client.get("/health/live")).json() == {"status": "ok"}
    answer = await gateway.client.get("/health/ready")
    assert answer.status_code == 503
    assert answer.json()["stage"] == "starting"


async def test_readiness_tells_how_far_the_start_is(gateway: Any) -> None:
    progress = {"run": "first", "kind": "step", "step": 12, "loss": 0.5}
    status = {"stage": "training", "message": "Training.", "progress": progress}
    gateway.settings.status_file.write_text(json.dumps(status))
    answer = await gateway.client.get("/health/ready")
    assert answer.status_code == 503
    body = answer.json()
    assert (body["status"], body["stage"], body["message"]) == ("starting", "training", "Training.")
    assert body["progress"]["step"] == 12
    assert body["model"] is None


async def test_readiness_tells_which_model_is_champion(gateway: Any, admin: Any) -> None:
    gateway.settings.status_file.write_text('{"stage": "ready", "message": ""}')
    answer = await gateway.client.get("/health/ready")
    assert answer.status_code == 200
    assert answer.json()["status"] == "ready"
    assert answer.json()["model"] == {"version": 2, "architecture": "cnn", "synthetic": True}
    await gateway.client.post("/v1/models/3/promote", headers=admin)
    assert (await gateway.client.get("/health/ready")).json()["model"]["version"] == 3


async def test_a_missing_champion_does_not_make_the_gateway_unready(
    gateway: Any,
) -> None:
    gateway.settings.status_file.write_text('{"stage": "ready", "message": ""}')
    gateway.registry.current = None
    answer = await gateway.client.get("/health/ready")
    assert (answer.status_code, answer.json()["model"]) == (200, None)
    assert answer.json()["model_known"] is True


async def test_a_registry_that_fails_does_not_make_the_gateway_unready(
    gateway: Any, caplog: Any
) -> None:
    gateway.settings.status_file.write_text('{"stage": "ready", "message": ""}')
    gateway.registry.champion = lambda: 1 / 0
    answer = await gateway.client.get("/health/ready")
    assert (answer.status_code, answer.json()["model"]) == (200, None)
    assert answer.json()["model_known"] is False
    assert "registry does not answer: ZeroDivisionError" in caplog.text


async def test_a_registry_that_fails_later_takes_nothing_back() -> None:
    answers: list[Any] = ["a model", None]
    champion = Champion(lambda: asyncio.sleep(0, answers.pop()))
    assert (await champion.get(), champion.known) == (None, True)
    await champion._refresh()
    await champion._refresh()  # answers are used up: it raises IndexError
    assert (await champion.get(), champion.known) == ("a model", True)


async def test_a_database_that_does_not_answer_is_no_failed_start(gateway: Any) -> None:
    engine = make_engine("mysql+pymysql://nobody@127.0.0.1:1/none")
    health = HealthService(Database(engine), gateway.state.models, None, 1000)
    answer = await health.ready()
    assert (answer.status, answer.stage) == ("unavailable", "ready")
    assert answer.message == "The database does not answer."
    engine.dispose()


async def test_while_the_registry_is_read_the_gateway_is_not_ready() -> None:
    answer = asyncio.Event()

    async def read() -> None:
        await answer.wait()

    champion = Champion(read)
    with pytest.raises(Unavailable):
        await champion.get()
    answer.set()
    assert await champion.get() is None


async def test_the_champion_is_read_while_the_replicas_are_deployed(gateway: Any) -> None:
    read = threading.Event()
    champion = gateway.registry.champion

    def watched() -> Any:
        read.set()
        return champion()

    gateway.registry.champion = watched
    for stage in ("training", "deploying"):
        status = {"stage": stage, "message": "Wait."}
        gateway.settings.status_file.write_text(json.dumps(status))
        assert not read.is_set()
        answer = await gateway.client.get("/health/ready")
        assert (answer.status_code, answer.json()["stage"]) == (503, stage)
    assert await asyncio.to_thread(read.wait, 5)


async def test_metrics_can_have_a_port_of_their_own(settings: Any, run_gateway: Any) -> None:
    [port] = pick_ports(1)
    async with run_gateway(settings.model_copy(update={"metrics_port": port})) as gateway:
        assert (await gateway.client.get("/metrics")).status_code == 404
        async with httpx.AsyncClient() as client:
            answer = await client.get(f"http://127.0.0.1:{port}/metrics")
        assert "gyrus_requests_total" in answer.text


async def test_metrics_count_by_template_and_decision_and_name_nobody(
    gateway: Any, alice: Any
) -> None:
    made = (await gateway.predict(alice)).json()
    await gateway.client.get(made["links"]["self"], headers=alice)
    await gateway.client.get("/wp-admin.php")
    text = (await gateway.client.get("/metrics")).text
    assert 'gyrus_predictions_total{decision="tumour"} 1.0' in text
    route = 'route="/v1/predictions/{prediction_id}"'
    assert f'gyrus_requests_total{{method="GET",{route},status="200"}} 1.0' in text
    assert 'gyrus_serve_seconds_count{application="classify",outcome="200"} 1.0' in text
    assert 'route="unmatched",status="404"' in text
    assert made["id"] not in text
    assert "wp-admin" not in text


async def test_the_log_holds_no_address_no_id_and_no_query(
    gateway: Any, alice: Any, caplog: Any
) -> None:
    caplog.set_level("INFO", "gyrus.access")
    made = (await gateway.predict(alice)).json()
    await gateway.client.get(f"{made['links']['image']}?class=secret", headers=alice)
    lines = [one.getMessage() for one in caplog.records if one.name == "gyrus.access"]
    assert len(lines) == 2
    assert lines[1].startswith("GET /v1/predictions/{prediction_id}/image.png 200 ")
    assert not any(word in line for line in lines for word in (made["id"], "127.0.0", "secret"))


def test_the_committed_description_is_the_apis_own() -> None:
    same = openapi.FILE.read_text() == openapi.document()
    assert same, "run `python -m frontend_api.openapi` and commit frontend_api/openapi.json"


def test_every_operation_documents_its_problems_and_no_other_error() -> None:
    schema = json.loads(openapi.document())
    for methods in schema["paths"].values():
        for operation in methods.values():
            assert operation["responses"]["default"]["content"]["application/problem+json"]
            assert "HTTPValidationError" not in str(operation)
    upload = schema["paths"]["/v1/predictions"]["post"]
    assert {"200", "201", "400", "401", "409", "413", "415", "422", "503"} <= set(
        upload["responses"]
    )


async def test_the_reference_shows_every_operation_and_loads_nothing_foreign(gateway: Any) -> None:
    answer = await gateway.client.get("/docs")
    assert answer.headers["Content-Type"].startswith("text/html")
    schema = (await gateway.client.get("/v1/openapi.json")).json()
    assert schema == json.loads(openapi.document())
    assert answer.text == docs.page(schema)
    for path in schema["paths"]:
        assert path in answer.text
    assert "<script" not in answer.text
    assert "http" not in answer.text.replace("HTTP", "")


def test_migrations_make_the_tables_that_the_code_uses(settings: GatewaySettings) -> None:
    engine = make_engine(settings.database)
    migrations.upgrade(engine)
    migrations.upgrade(engine)
    with engine.connect() as connection:
        found = compare_metadata(MigrationContext.configure(connection), Base.metadata)
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
    engine.dispose()
    assert found == []


def test_ids_sort_by_their_time_and_are_uuids_of_version_7() -> None:
    made = [new_id() for _ in range(50)]
    assert {one[14] for one in made} == {"7"}
    assert {one[19] for one in made} <= set("89ab")
    assert [one[:13] for one in made] == sorted(one[:13] for one in made)
