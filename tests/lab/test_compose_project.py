"""What compose makes of several files: includes, extensions and overrides."""

import pytest

from lab.compose_project import services

CHECKED = "services: {api: {healthcheck: {test: [CMD, ask], interval: 5s}}}\n"
EXTENDED = "services: {api: {extends: {file: services/gateway/a.yml, service: api}}}"
API = "services: {api: {image: x, healthcheck: {interval: 9s}}}\n"


def test_services_are_those_of_the_file() -> None:
    assert services("compose.yaml", {"compose.yaml": "services: {api: {image: x}, 2: no}\n"}) == {
        "api": {"image": "x"}
    }


@pytest.mark.parametrize("include", ["[a.yml]", "[{path: [./a.yml]}]", "[{path: a.yml}]"])
def test_included_files_may_include_others(include: str) -> None:
    files = {
        "deploy/compose.yaml": f"include: {include}\nservices: {{api: {{}}}}\n",
        "deploy/a.yml": "include: [more/b.yml]\nservices: {redis: {}}\n",
        "deploy/more/b.yml": "include: [../a.yml]\nservices: {grafana: {}}\n",
    }

    assert set(services("deploy/compose.yaml", files)) == {"api", "redis", "grafana"}


@pytest.mark.parametrize(
    ("files", "interval"),
    [
        ({"compose.override.yaml": CHECKED, "compose.yaml": API}, "5s"),
        (
            {
                "compose.yaml": API.replace("image: x", "extends: {file: b.yml, service: api}"),
                "b.yml": CHECKED,
            },
            "9s",
        ),
    ],
)
def test_parts_of_a_health_check_are_put_together(files: dict[str, str], interval: str) -> None:
    check = services("compose.yaml", files)["api"]["healthcheck"]

    assert check == {"test": ["CMD", "ask"], "interval": interval}


def test_parts_of_a_build_are_put_together() -> None:
    files = {
        "compose.yaml": "services: {api: {build: {dockerfile: b, target: api}}}\n",
        "compose.override.yaml": "services: {api: {build: {target: dev}}}\n",
    }

    assert services("compose.yaml", files)["api"]["build"] == {"dockerfile": "b", "target": "dev"}
    assert services("compose.yaml", files, is_overridden=False)["api"]["build"]["target"] == "api"


@pytest.mark.parametrize(
    ("build", "expected"),
    [
        (".", {"context": "services/gateway"}),
        ("{context: .., target: api}", {"context": "services", "target": "api"}),
        ("{dockerfile: b}", {"context": "services/gateway", "dockerfile": "b"}),
        ("https://example.com/a.git", "https://example.com/a.git"),
    ],
)
@pytest.mark.parametrize("how", ["include: [services/gateway/a.yml]", EXTENDED])
def test_what_a_service_is_built_from_is_named_from_the_main_file(
    how: str, build: str, expected: object
) -> None:
    files = {"compose.yaml": f"{how}\n", "services/gateway/a.yml": f"services: {{api: {{build: {build}}}}}\n"}

    assert services("compose.yaml", files)["api"]["build"] == expected


def test_an_override_of_another_folder_does_not_count() -> None:
    files = {"compose.yaml": API, "docker/compose.override.yaml": "services: {redis: {}}\n"}

    assert set(services("compose.yaml", files)) == {"api"}


def test_services_that_extend_each_other_are_read_once() -> None:
    files = {"compose.yaml": "services: {a: {extends: b}, b: {extends: {service: a}}}\n"}

    assert set(services("compose.yaml", files)) == {"a", "b"}


def test_a_file_that_is_no_yaml_is_refused() -> None:
    with pytest.raises(ValueError, match="not YAML"):
        services("compose.yaml", {"compose.yaml": "include: [a.yml]\n", "a.yml": "services: ["})
