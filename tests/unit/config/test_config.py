"""A configuration is checked whole before anything starts, and each mistake names its key."""

import re
from dataclasses import MISSING, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from monitor.adapters import registry
from monitor.config.config import Config, Section, Server, read_config, validate
from monitor.config.init_template import STARTER
from monitor.config.policies import PolicyOptions
from monitor.config.section import parse_duration
from monitor.errors import ConfigError, SuiteError
from monitor.incidents.routing import Labels
from monitor.model.incidents import Severity
from monitor.model.policies import Policy
from monitor.model.suites import Axis
from monitor.service import json_schema, wiring
from monitor.service.triggers import trigger_of

BAD = Path(__file__).parents[2] / "bad_configurations"
CASES = sorted(path.stem for path in BAD.glob("*.yaml"))


@pytest.mark.parametrize("case", CASES)
def test_a_bad_configuration_is_refused_with_exactly_this_message(case, monkeypatch):
    """Each file has one mistake, and the message beside it is what the user reads, word for word."""
    monkeypatch.chdir(BAD)
    with pytest.raises(ConfigError) as refused:
        _check(Path(f"{case}.yaml"))
    assert str(refused.value) == (BAD / f"{case}.txt").read_text(encoding="utf-8").rstrip("\n")


def test_every_bad_configuration_has_its_message_beside_it():
    """No file is tested by accident only, and no message is left over."""
    assert len(CASES) > 60
    assert sorted(path.stem for path in BAD.glob("*.txt")) == CASES


def _check(path: Path) -> wiring.CheckedConfig:
    """Everything that is checked before the daemon opens anything."""
    parts = wiring.load(path)
    for name, schedule in parts.config.schedules.items():
        trigger_of(schedule, where=f"schedules.{name}")
    return parts


def written(folder: Path, text: str) -> Path:
    """A configuration file with this text."""
    path = folder / "recallwatch.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def starter(folder: Path) -> Path:
    """The configuration that `recallwatch init` writes."""
    return written(folder, STARTER.replace("@URL@", "http://127.0.0.1:8000/search"))


def test_the_starter_configuration_is_right(tmp_path):
    """What `init` writes passes every check as it stands."""
    parts = _check(starter(tmp_path))
    assert list(parts.retrievers) == ["production"]
    assert parts.config.schedules["hourly"].every == 3_600.0
    assert parts.config.on_call.notifiers == ()


def test_every_comment_of_the_starter_is_right_when_uncommented(tmp_path, monkeypatch):
    """The examples in comments work once the hash is gone."""
    monkeypatch.setenv("RECALLWATCH_WEBHOOK_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    monkeypatch.setenv("RETRIEVER_TOKEN", "abc")
    text = STARTER.replace("@URL@", "http://127.0.0.1:8000/search")
    text = re.sub(r"# (headers:)", r"\1", text)
    head, _, tail = text.partition("# notifiers:")
    parts = _check(written(tmp_path, head + "notifiers:" + re.sub(r"(?m)^#", "", tail)))
    assert parts.config.targets["production"].retriever["headers"] == {"Authorization": "Bearer abc"}
    assert parts.config.on_call.notifiers == ("on-call",)


def test_a_file_that_is_not_there_says_how_to_get_one(tmp_path):
    """A newcomer who forgot `init` is told about it."""
    with pytest.raises(ConfigError, match="recallwatch init"):
        read_config(tmp_path / "missing.yaml")


def test_a_file_that_is_not_utf8_is_refused_by_name(tmp_path):
    """A file in another encoding is a configuration error, not a traceback."""
    path = tmp_path / "latin.yaml"
    path.write_bytes("targets: {café: {}}".encode("latin-1"))
    with pytest.raises(ConfigError, match=re.escape(str(path))):
        read_config(path)


def test_a_key_that_is_a_list_is_refused(tmp_path):
    """YAML allows keys that no configuration can have; they are refused with their line."""
    with pytest.raises(ConfigError, match=":1"):
        read_config(written(tmp_path, "? [a]\n: b\n"))


def test_a_bottomless_file_is_refused(tmp_path):
    """Brackets within brackets without end are a configuration error, not a crash."""
    with pytest.raises(ConfigError, match="is nested too deeply"):
        read_config(written(tmp_path, "[" * 5_000))


def test_an_alias_within_itself_is_refused(tmp_path):
    """A configuration that contains itself is a configuration error, not a crash."""
    with pytest.raises(ConfigError):
        read_config(written(tmp_path, "targets: &a\n  x: *a\n"))


def test_anchors_and_merges_are_understood(tmp_path):
    """Repeated parts can be written once, as YAML has it."""
    text = "server: &here {host: 0.0.0.0}\nsuites:\n  legal: {path: ./legal}\n"
    merged = text + "policies:\n  strict: &strict {margin: 0.01}\n  stricter: {<<: *strict, alpha_page: 0.001}\n"
    assert read_config(written(tmp_path, merged)).policies["stricter"].margin == 0.01


def test_variables_are_filled_in_everywhere(tmp_path):
    """`${NAME}` is replaced in any text, at any depth, more than once."""
    text = """
storage: {url: "postgresql://${USER_NAME}:${PASSWORD}@db/watch"}
targets:
  production:
    retriever: {kind: http, url: "http://search/", headers: {authorization: "Bearer ${PASSWORD}"}}
"""
    config = read_config(written(tmp_path, text), {"USER_NAME": "ada", "PASSWORD": "p: {x} ${USER_NAME}"})
    assert config.storage.url == "postgresql://ada:p: {x} ${USER_NAME}@db/watch"
    assert config.targets["production"].retriever["headers"] == {"authorization": "Bearer p: {x} ${USER_NAME}"}


def test_a_dollar_without_braces_is_text(tmp_path):
    """Only `${NAME}` is a variable; a price or a `$NAME` stays as it is."""
    config = read_config(written(tmp_path, "suites: {legal: {path: ./$HOME/costs-5$}}"), {})
    assert config.suites["legal"].path == "./$HOME/costs-5$"


@pytest.mark.parametrize(
    ("stated", "seconds"),
    [("250ms", 0.25), ("30s", 30.0), ("15m", 900.0), ("1h", 3_600.0), ("1.5 h", 5_400.0), ("1d", 86_400.0), (7, 7.0)],
)
def test_durations_are_read_in_seconds(stated, seconds):
    """Each unit of a duration has its meaning, and a bare number is seconds."""
    assert parse_duration(stated) == seconds


@pytest.mark.parametrize("stated", ["", "h", "1 week", "-5s", "1h30m", "1,5h", True, None, "1e3s", [], {}])
def test_what_is_not_a_duration_is_refused(stated):
    """Nothing that only resembles a duration is taken for one."""
    with pytest.raises(ValueError, match="is not a duration"):
        parse_duration(stated)


@pytest.mark.parametrize("every", ["!!float .inf", "!!float .nan", "1e12", "'99999999999999d'"])
def test_a_rhythm_that_no_calendar_holds_is_refused(every, tmp_path):
    """An endless interval is a configuration error, not an overflow in the scheduler."""
    text = f"""
targets: {{t: {{retriever: {{kind: http, url: "http://search/"}}}}}}
schedules: {{s: {{target: t, suites: [broad], every: {every}}}}}
"""
    with pytest.raises(ConfigError, match=r"schedules\.s\.every"):
        _check(written(tmp_path, text))


def test_no_secret_shows_when_the_configuration_is_printed(tmp_path):
    """Passwords, tokens and signing secrets do not show in the repr of a checked configuration."""
    text = """
storage: {url: "postgresql://ada:${S1}@db/watch"}
targets:
  production: {retriever: {kind: http, url: "http://u:${S2}@search/", headers: {authorization: "Bearer ${S3}"}}}
notifiers:
  on-call: {kind: webhook, url: "http://hooks/", secret: "whsec_${S4}"}
"""
    secrets = {"S1": "c2VjcmV0MQ==", "S2": "c2VjcmV0Mg==", "S3": "c2VjcmV0Mw==", "S4": "c2VjcmV0NA=="}
    shown = repr(wiring.assemble(read_config(written(tmp_path, text), secrets)))
    assert [name for name, secret in secrets.items() if secret in shown] == []


def test_the_options_of_a_notifier_do_not_show_its_secret(tmp_path, monkeypatch):
    """The signing secret does not show in the repr of the part that holds it."""
    monkeypatch.setenv("SIGNING", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    text = 'notifiers: {on-call: {kind: webhook, url: "http://hooks/", secret: "${SIGNING}"}}'
    parts = wiring.load(written(tmp_path, text))
    assert "MfKQ9r8" not in repr(parts.notifiers)


def hooks(*names: str) -> str:
    """Notifiers of these names."""
    hook = '{kind: webhook, url: "http://hooks/", secret: whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw}'
    return f"notifiers: {{{', '.join(f'{name}: {hook}' for name in names)}}}\n"


def told(folder: Path, text: str, **labels: Any) -> tuple[str, ...]:
    """Who is told of an alert by a configuration."""
    stated = {"target": "docs", "severity": Severity.WARNING, **labels}
    return read_config(written(folder, text)).on_call.notifiers_for(Labels(**stated))


def test_without_routes_alerts_go_to_every_notifier(tmp_path):
    """All notifiers are told of everything unless there are routes; one that is named twice is told once."""
    assert told(tmp_path, hooks("day", "night")) == ("day", "night")
    assert told(tmp_path, hooks("day", "night") + "routes: [{notifiers: [night, night]}]\n") == ("night",)


def test_the_first_route_that_fits_is_taken_and_continue_goes_on(tmp_path):
    """Values, lists and regular expressions match; the last route takes what no other did."""
    text = hooks("pager", "search", "chat") + (
        "targets: {docs: {owner: team-search, retriever: {kind: http, url: 'http://docs/'}}}\n"
        "routes:\n"
        "  - {match: {owner: /team-.*/}, notifiers: [search], continue: true}\n"
        "  - {match: {severity: critical, axis: [broad]}, notifiers: [pager]}\n"
        "  - {notifiers: [chat]}\n"
    )
    grave = {"severity": Severity.CRITICAL, "axes": ("broad", "compositional")}
    assert told(tmp_path, text, owner="team-search", **grave) == ("search", "pager")
    assert told(tmp_path, text, owner="other", **grave) == ("pager",)
    assert told(tmp_path, text) == ("chat",)
    assert read_config(tmp_path / "recallwatch.yaml").on_call.owners == {"docs": "team-search"}


def test_silences_are_read_with_their_times(tmp_path):
    """A window from and to an instant, and a part of every day, hold back what they match."""
    text = (
        "silences:\n"
        "  - {match: {target: staging}, from: 2026-03-01T22:00:00Z, to: 2026-03-02T04:00:00+00:00, reason: rebuild}\n"
        "  - {match: {target: docs}, daily: '22:00-06:00', reason: nightly batch}\n"
    )
    on_call = read_config(written(tmp_path, text)).on_call
    late = datetime(2026, 3, 1, 23, tzinfo=UTC)
    assert on_call.silence_for(Labels(target="staging", severity=Severity.WARNING), late) == (
        late.replace(day=2, hour=4),
        "rebuild",
    )
    assert on_call.silence_for(Labels(target="docs", severity=Severity.WARNING), late) == (
        late.replace(day=2, hour=6),
        "nightly batch",
    )
    assert on_call.silence_for(Labels(target="other", severity=Severity.WARNING), late) == (None, "")


def test_the_default_policy_always_exists(tmp_path):
    """Naming other policies does not take the default one away."""
    config = read_config(written(tmp_path, "policies: {strict: {floor_absolute: 0}}"))
    assert config.policy("default") == Policy()
    assert config.policy("strict").floor_absolute == 0.0


def test_the_options_of_a_policy_are_the_fields_of_the_policy():
    """Whatever the core decides by can be configured, under the same name and with the same default."""
    defaults = {
        each.name: each.default if each.default is not MISSING else each.default_factory()  # type: ignore[misc]  # one of both
        for each in fields(Policy)
    }
    assert list(PolicyOptions.model_fields) == list(defaults)
    assert PolicyOptions().model_dump() == defaults
    assert PolicyOptions().to_policy() == Policy()


def test_gating_measures_reach_the_policy():
    """What a policy gates on is kept by axis, in order."""
    options = validate(PolicyOptions, {"gating": {"broad": ["recall@100", "pair_accuracy"]}}, where="p")
    assert options.to_policy().gating == {Axis.BROAD: ("recall@100", "pair_accuracy")}


@pytest.mark.parametrize("port", [0, 1, 65_535])
def test_any_port_there_is_can_be_served_on(port):
    """Both ends of the range are ports; 0 asks the system for a free one."""
    assert validate(Server, {"port": port}, where="server").port == port


class OptionsOfAPlugIn(Section):
    """What an adapter from elsewhere may be told."""

    size: int = 1
    limit: float = 1.5
    verbose: bool = False
    fields: list[str] | None = None
    folder: Path = Path()
    inner: Server = Server()


@pytest.mark.parametrize(
    ("key", "stated", "problem"),
    [
        ("size", "many", "must be a whole number"),
        ("size", None, "must be a whole number"),
        ("size", 1.5, "must be a whole number"),
        ("limit", "high", "must be a number"),
        ("limit", [], "must be a number"),
        ("verbose", "perhaps", "must be true or false"),
        ("verbose", [], "must be true or false"),
        ("fields", "title", "must be a list such as [a, b]"),
        ("folder", 7, "must be a path"),
        ("inner", [], "must be a mapping of keys to values"),
    ],
)
def test_no_words_of_a_library_show_through(key, stated, problem):
    """The options of any adapter, a plug-in's too, are refused in the words of the other messages."""
    with pytest.raises(ConfigError) as refused:
        validate(OptionsOfAPlugIn, {key: stated}, where="notifiers.on-call")
    assert str(refused.value) == f"notifiers.on-call.{key}: {problem}"


def test_a_suite_asked_for_twice_is_refused(tmp_path):
    """On the command line, too, one suite cannot be replayed twice in one cycle under two names."""
    parts = _check(starter(tmp_path))
    with pytest.raises(ConfigError, match=r"^suites: broad and builtin:broad are both the suite broad; "):
        wiring.plan_for(parts, "production", ("broad", "compositional", "builtin:broad"))


def test_suites_are_told_apart_by_what_they_call_themselves(tmp_path):
    """Folders of one name are two suites where suite.yaml says so, and two folders are one where it says that."""
    for folder in ("a/legal", "b/legal", "c/law"):
        (tmp_path / folder).mkdir(parents=True)
    text = f"suites: {{one: {{path: {tmp_path}/a/legal}}, other: {{path: {tmp_path}/b/legal}}}}"
    with pytest.raises(ConfigError, match="one and other are both the suite legal"):
        _check(written(tmp_path, text))
    (tmp_path / "b/legal/suite.yaml").write_text("name: law\n")
    _check(written(tmp_path, text))
    with pytest.raises(ConfigError, match="other and third are both the suite law"):
        _check(written(tmp_path, text.replace("}}", f"}}, third: {{path: {tmp_path}/c/law}}}}")))


def test_a_broken_suite_yaml_is_told_with_its_line(tmp_path):
    """A configured suite whose name cannot be read is refused by its file, before anything starts."""
    path = BAD.parent / "bad_suites" / "suite_yaml_is_not_yaml"
    with pytest.raises(SuiteError, match=r"suite_yaml_is_not_yaml/suite\.yaml:3: not YAML"):
        _check(written(tmp_path, f"suites: {{parking: {{path: {path}}}}}"))


def test_a_token_that_cannot_be_read_is_told_before_anything_starts(tmp_path):
    """Whoever declares a deployment must not be the first to learn that the token's file is gone."""
    stated = {"server": {"token_file": str(tmp_path / "nowhere")}}
    with pytest.raises(ConfigError, match=r"server\.token_file"):
        wiring.assemble(validate(Config, stated, where=""))


def test_every_key_says_what_it_is_for():
    """Each key of the configuration and of every adapter's options has a description, which the documents print."""
    adapters = [
        registry.find(port, kind, where=port).Options for port in registry.BUILT_IN for kind in registry.names(port)
    ]
    schemas = [kind.model_json_schema() for kind in (Config, *adapters)]
    sections = [
        each for schema in schemas for each in (schema, *schema.get("$defs", {}).values()) if "properties" in each
    ]
    assert len(sections) > 10
    assert [
        f"{section['title']}.{key}"
        for section in sections
        for key, each in section["properties"].items()
        if not each.get("description")
    ] == []


def test_the_schema_names_every_key_and_every_kind():
    """The published JSON Schema knows the top-level keys and the options of every adapter."""
    schema = json_schema.json_schema()
    assert set(schema["properties"]) == set(Config.model_fields)
    assert schema["additionalProperties"] is False
    retrievers = schema["$defs"]["Target"]["properties"]["retriever"]["oneOf"]
    notifiers = schema["properties"]["notifiers"]["additionalProperties"]["oneOf"]
    assert {"http", "local"} <= {each["properties"]["kind"]["const"] for each in retrievers}
    assert "webhook" in {each["properties"]["kind"]["const"] for each in notifiers}
    for each in (*retrievers, *notifiers):
        assert "kind" in each["required"]
        assert each["additionalProperties"] is False


def test_the_schema_has_every_key_of_the_starter(tmp_path):
    """An editor that checks by the schema accepts each key that `init` writes."""
    schema = json_schema.json_schema()
    config = read_config(starter(tmp_path))
    assert set(config.model_fields_set) <= set(schema["properties"])
    (http,) = [
        each
        for each in schema["$defs"]["Target"]["properties"]["retriever"]["oneOf"]
        if each["properties"]["kind"]["const"] == "http"
    ]
    stated = config.targets["production"].retriever
    assert set(stated) <= set(http["properties"])
    assert set(http["required"]) <= set(stated)


def test_every_reference_of_the_schema_leads_somewhere():
    """A validator can resolve the whole document: each `$ref` points at something in it."""
    schema = json_schema.json_schema()

    def references(part: object) -> list[str]:
        if isinstance(part, dict):
            own = [part["$ref"]] if isinstance(part.get("$ref"), str) else []
            return own + [each for value in part.values() for each in references(value)]
        return [each for value in part for each in references(value)] if isinstance(part, list) else []

    def leads_somewhere(reference: str) -> bool:
        place: object = schema
        for key in reference.removeprefix("#/").split("/"):
            place = place.get(key) if isinstance(place, dict) else None
        return place is not None

    assert [each for each in references(schema) if not leads_somewhere(each)] == []
