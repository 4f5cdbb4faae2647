"""Every fault of a serve config is named before anything starts."""

from pathlib import Path

import pytest
import yaml

from app.errors import ConfigError
from deployments.config_check import check_config

ROOT = Path(__file__).parents[2]


SHIPPED = (ROOT / "serve_config.yaml", *sorted((ROOT / "deploy/serve").glob("*.yaml")))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_config_has_no_faults(path):
    assert check_config(path)["http_options"]["port"] == 8000


def test_merged_keys_are_checked_and_may_be_replaced(tmp_path):
    text = (ROOT / "serve_config.yaml").read_text()
    merged = text.replace("    args:\n", "    args:\n      <<: {model: english, slotz: 1}\n")
    (tmp_path / "config.yaml").write_text(merged)
    with pytest.raises(ConfigError, match=r"args\.slotz") as error:
        check_config(tmp_path / "config.yaml")
    assert "duplicate" not in str(error.value)


def with_changes(tmp_path: Path, *changes: tuple[tuple[object, ...], object]) -> Path:
    content = yaml.safe_load((ROOT / "serve_config.yaml").read_text())
    for path, value in changes:
        place = content
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = value
    target = tmp_path / "config.yaml"
    target.write_text(yaml.safe_dump(content))
    return target


APPLICATION = ("applications", 0)


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        (("htp_options",), {}, "unknown key htp_options"),
        (("http_options", "prot"), 1, "unknown key http_options.prot"),
        (("logging_config", "levl"), "INFO", "unknown key logging_config.levl"),
        ((*APPLICATION, "arg"), {}, r"unknown key applications\[0\].arg"),
        ((*APPLICATION, "args", "modle"), "x", r"applications\[0\].args.modle"),
        ((*APPLICATION, "args", "t3", "slotz"), 3, r"applications\[0\].args.t3.slotz"),
        ((*APPLICATION, "args", "t3", "slots"), 0, r"args.t3.slots: .*greater"),
        ((*APPLICATION, "args", "device"), "tpu", "args.device"),
        ((*APPLICATION, "args", "vocoder"), {"cells": [5]}, "greater than or equal to 6"),
        ((*APPLICATION, "deployments"), [{"name": "T4"}], "'T4' is not one of"),
        (
            (*APPLICATION, "deployments"),
            [{"name": "T3", "max_ongoing_requets": 3}],
            r"unknown key applications\[0\].deployments\[0\].max_ongoing_requets",
        ),
        (
            (*APPLICATION, "deployments"),
            [{"name": "T3", "ray_actor_options": {"num_gpu": 1}}],
            r"unknown key applications\[0\].deployments\[0\].ray_actor_options.num_gpu",
        ),
        (("applications",), [], "at least one"),
        (("http_options", "port"), "many", "http_options.port"),
        (
            (*APPLICATION, "args"),
            {"topology": "colocated", "t3_replicas": 2},
            "t3_replicas and vocoder_replicas must be equal",
        ),
    ],
)
def test_a_fault_is_named_with_its_key(tmp_path, path, value, named):
    with pytest.raises(ConfigError, match=named):
        check_config(with_changes(tmp_path, (path, value)))


def test_all_faults_are_listed_at_once(tmp_path):
    path = with_changes(tmp_path, (("a",), 1), (("b",), 2))
    with pytest.raises(ConfigError) as error:
        check_config(path)
    assert "unknown key a " in str(error.value)
    assert "unknown key b " in str(error.value)


@pytest.mark.parametrize(
    ("text", "named"),
    [("- 1", "expected a mapping"), ("a: [", "config.yaml"), ("a: 1\na: 2", "duplicate key 'a'")],
)
def test_a_file_without_a_config_is_refused(tmp_path, text, named):
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(ConfigError, match=named):
        check_config(tmp_path / "config.yaml")


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="no such file"):
        check_config(tmp_path / "config.yaml")


def with_args(tmp_path: Path, **args: object) -> Path:
    changes = [((*APPLICATION, "args", name), value) for name, value in args.items()]
    return with_changes(tmp_path, *changes)


@pytest.mark.parametrize(
    ("args", "faults"),
    [
        ({"model_aliases": {"my-tts": "english"}}, ["model_aliases.my-tts: there is no model"]),
        ({"model_aliases": {"a": "b", "b": "a"}}, ["model_aliases.a", "model_aliases.b"]),
        ({"voice_aliases": {"nova": "nobody"}}, ["voice_aliases.nova: there is no voice 'nobody'"]),
        ({"voice_aliases": {"x": "alloy"}}, ["voice_aliases.x: there is no voice 'alloy'"]),
        (
            {"model_aliases": {"x": "y"}, "voice_aliases": {"x": "y", "z": "y"}},
            ["model_aliases.x", "voice_aliases.x", "voice_aliases.z"],
        ),
        ({"voice_aliases": {"nova": "nobody"}, "voices": "/nowhere"}, ["cannot list the voices"]),
    ],
)
def test_every_alias_of_nothing_is_a_fault(tmp_path, args, faults):
    with pytest.raises(ConfigError) as error:
        check_config(with_args(tmp_path, **args))
    lines = str(error.value).splitlines()
    assert len(lines) == len(faults)
    for line, fault in zip(lines, faults, strict=True):
        assert f"applications[0].args.{fault}" in line


def test_an_alias_may_mean_a_recording(tmp_path):
    (tmp_path / "voices").mkdir()
    (tmp_path / "voices/anna.wav").write_bytes(b"")
    aliases = {"voices": str(tmp_path / "voices"), "voice_aliases": {"nova": "anna"}}
    check_config(with_args(tmp_path, model_aliases={"my-tts": "embedded"}, **aliases))


@pytest.mark.parametrize("away", [{"model": "english"}, {"voices": "s3://bucket/voices"}])
def test_no_hub_and_no_store_is_asked_for_the_sake_of_aliases(tmp_path, away):
    check_config(with_args(tmp_path, voice_aliases={"nova": "anna"}, **away))


ACCESS = (*APPLICATION, "args", "access")


@pytest.mark.parametrize(
    "origin",
    [
        "https://example.com",
        "http://localhost:3000",
        "http://[::1]:3000",
        "https://xn--bcher-kva.example",
        "chrome-extension://abcdefghijklmnop",
        "capacitor://localhost",
    ],
)
def test_an_origin_is_what_browsers_send(tmp_path, origin):
    check_config(with_changes(tmp_path, (ACCESS, {"origins": [origin]})))


@pytest.mark.parametrize(
    ("origin", "named"),
    [
        ("*", "everybody"),
        ("null", "everybody"),
        ("https://example.com/", "no origin"),
        ("https://example.com/app", "no origin"),
        ("https://Example.com", "no origin"),
        ("https://example.com:443", "no origin"),
        ("http://example.com:80", "no origin"),
        ("https://*.example.com", "no origin"),
        ("https://b\u00fccher.example", "no origin"),
        ("example.com", "no origin"),
        ("https://me@example.com", "no origin"),
        (" https://example.com", "no origin"),
        ("", "no origin"),
    ],
)
def test_an_origin_that_no_browser_sends_is_a_fault(tmp_path, origin, named):
    with pytest.raises(ConfigError, match=rf"args\.access\.origins\.0: .*{named}"):
        check_config(with_changes(tmp_path, (ACCESS, {"origins": [origin]})))


WIDE = ("http_options", "host"), "0.0.0.0"


def test_a_public_host_needs_keys(tmp_path, monkeypatch):
    monkeypatch.delenv("CHATTERBOX_API_KEYS", raising=False)
    with pytest.raises(ConfigError, match=r"0\.0\.0\.0 is reachable from outside"):
        check_config(with_changes(tmp_path, WIDE))
    keys = tmp_path / "keys.yaml"
    keys.write_text(f"- {{name: app, sha256: {'a' * 64}, tenant: red}}")
    access = ((*APPLICATION, "args", "access"), {"keys_file": str(keys)})
    check_config(with_changes(tmp_path, WIDE, access))


def test_haproxy_needs_keys(tmp_path, monkeypatch):
    """HAProxy listens on every interface."""
    monkeypatch.setenv("RAY_SERVE_ENABLE_HA_PROXY", "1")
    with pytest.raises(ConfigError, match="HAProxy"):
        check_config(with_changes(tmp_path))


def test_a_faulty_keys_file_is_a_fault_of_the_config(tmp_path):
    access = ((*APPLICATION, "args", "access"), {"keys_file": str(tmp_path / "nowhere")})
    with pytest.raises(ConfigError, match="nowhere"):
        check_config(with_changes(tmp_path, access))
