"""Webhooks of other tools, each with the payload and the signature that the tool publishes."""

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest

from monitor.config.access import AccessOptions
from monitor.service.api.webhook_kinds import KINDS
from tests.unit.service.api_client import CONFIG, NOW, Api, with_api

SECRET = "It's a Secret to Everybody"
KIND_NAMES = ("github", "gitlab", "argo_cd", "flux", "hugging_face", "mlflow")
HOOKS: dict[str, Any] = {name: {"kind": name, "target": "docs", "secret": SECRET} for name in KIND_NAMES}
HOOKS["plain"] = {"kind": "hmac", "target": "shop", "secret": SECRET, "name_at": "images[0].tag"}
WITH_HOOKS = {**CONFIG, "server": {"webhooks": HOOKS}}

GITHUB = {
    "action": "created",
    "deployment_status": {"id": 2, "state": "success", "environment": "production"},
    "deployment": {"id": 1, "sha": "f95f852bd8fca8fcc58a9a2d6c842781e32a215e", "ref": "main", "task": "deploy"},
    "repository": {"full_name": "Codertocat/Hello-World"},
}
GITLAB = {
    "object_kind": "deployment",
    "status": "success",
    "deployment_id": 15,
    "environment": "staging",
    "project": {"id": 30, "name": "test-deployment-webhooks"},
    "short_sha": "279484c0",
    "user": {"name": "Administrator"},
    "ref": "main",
}
ARGO_CD = {"app": "retriever", "revision": "7d4a6f1", "phase": "Succeeded", "images": ["registry/embedder:2.1"]}
FLUX = {
    "involvedObject": {"kind": "Kustomization", "namespace": "gitops-system", "name": "webapp"},
    "severity": "info",
    "timestamp": "2020-04-20T12:34:56Z",
    "message": "Reconciliation finished",
    "reason": "ReconciliationSucceeded",
    "metadata": {"kustomize.toolkit.fluxcd.io/revision": "main@sha1:731f7eaddfb6af01cb2173e18f0f75b0ba780ef1"},
    "reportingController": "kustomize-controller",
}
HUGGING_FACE = {
    "event": {"action": "update", "scope": "repo.content"},
    "repo": {"type": "model", "name": "acme/embedder", "id": "621ffdc036468d709f17434d", "headSha": "c379e821c9c9"},
    "updatedRefs": [
        {"ref": "refs/heads/main", "oldSha": "ce9a4674fa83", "newSha": "575db8b7a51b6f85eb06eee540738584589f131c"}
    ],
}
MLFLOW = {
    "entity": "model_version",
    "action": "created",
    "timestamp": "2026-01-02T00:00:00+00:00",
    "data": {"name": "example_model", "version": "1", "source": "models:/123", "run_id": "abcd1234abcd5678"},
}


RELEASE = {
    "action": "published",
    "release": {"tag_name": "0.0.1", "target_commitish": "master", "name": None, "draft": False, "prerelease": False},
    "repository": {"full_name": "Codertocat/Hello-World"},
    "sender": {"login": "Codertocat"},
}
HELM_RELEASE = {
    "involvedObject": {"kind": "HelmRelease", "namespace": "apps", "name": "webapp"},
    "severity": "info",
    "message": "Helm upgrade succeeded",
    "reason": "UpgradeSucceeded",
    "metadata": {"helm.toolkit.fluxcd.io/app-version": "6.5.0", "helm.toolkit.fluxcd.io/revision": "6.5.1"},
    "reportingController": "helm-controller",
}
ALIAS = {
    "entity": "model_version_alias",
    "action": "created",
    "timestamp": "2026-01-02T00:00:00+00:00",
    "data": {"name": "example_model", "alias": "example_alias", "version": "1"},
}


def digest(body: bytes) -> str:
    """HMAC-SHA256 in hexadecimal."""
    return hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()


def signed(kind: str, body: bytes) -> dict[str, str]:
    """The headers that a tool sends with a body."""
    sent_at = str(int(NOW.timestamp()))
    signature = hmac.new(SECRET.encode(), f"delivery-1.{sent_at}.".encode() + body, hashlib.sha256).digest()
    return {
        "github": {"x-github-event": "deployment_status", "x-hub-signature-256": f"sha256={digest(body)}"},
        "gitlab": {"x-gitlab-event": "Deployment Hook", "x-gitlab-token": SECRET},
        "argo_cd": {"authorization": f"Bearer {SECRET}"},
        "flux": {"x-signature": f"sha256={digest(body)}"},
        "hugging_face": {"x-webhook-secret": SECRET},
        "mlflow": {
            "x-mlflow-signature": f"v1,{base64.b64encode(signature).decode()}",
            "x-mlflow-delivery-id": "delivery-1",
            "x-mlflow-timestamp": sent_at,
        },
        "plain": {"x-signature-256": f"sha256={digest(body)}"},
    }[kind]


PUBLISHED = [
    ("github", GITHUB, "f95f852bd8fca8fcc58a9a2d6c842781e32a215e", {"ref": "main"}),
    ("gitlab", GITLAB, "279484c0", {"ref": "main", "environment": "staging"}),
    ("argo_cd", ARGO_CD, "7d4a6f1", {"app": "retriever", "images": "registry/embedder:2.1"}),
    (
        "flux",
        FLUX,
        "main@sha1:731f7eaddfb6af01cb2173e18f0f75b0ba780ef1",
        {"kind": "Kustomization", "object": "webapp"},
    ),
    ("hugging_face", HUGGING_FACE, "acme/embedder@575db8b7a51b", {"type": "model"}),
    ("mlflow", MLFLOW, "example_model/1", {}),
    ("plain", {"images": [{"tag": "v7"}]}, "v7", {}),
]


async def post(api: Api, kind: str, payload: Any, *, headers: dict[str, str] | None = None):
    """The response to a webhook, and what it declared."""
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    response = await api.send("POST", f"/webhooks/{kind}", body, headers=headers or signed(kind, body))
    return response, list(api.store.declared)


@pytest.mark.parametrize(("kind", "payload", "name", "detail"), PUBLISHED, ids=[each[0] for each in PUBLISHED])
def test_a_published_payload_declares_a_deployment(kind: str, payload: Any, name: str, detail: dict[str, str]):
    """Each tool's own example, with its own signature, names the deployment; no token is in the address."""
    response, declared = with_api(lambda api: post(api, kind, payload), config=WITH_HOOKS)
    assert (response.status_code, [each.name for each in declared]) == (201, [name])
    assert declared[0].declared_by == f"webhook {kind}"
    assert {**declared[0].detail, **detail} == dict(declared[0].detail)


def test_the_signature_is_the_one_that_github_publishes():
    """The documented secret and payload give the documented signature."""
    headers = {"x-hub-signature-256": "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"}
    assert KINDS["github"].is_genuine(SECRET, headers, b"Hello, World!", 0.0)
    assert not KINDS["github"].is_genuine(SECRET, headers, b"Hello, World?", 0.0)


@pytest.mark.parametrize(
    ("kind", "payload", "headers", "name", "detail"),
    [
        ("github", RELEASE, {"x-github-event": "release"}, "0.0.1", {"repository": "Codertocat/Hello-World"}),
        ("flux", HELM_RELEASE, {}, "6.5.1", {"kind": "HelmRelease", "object": "webapp"}),
        ("mlflow", ALIAS, {}, "example_model/1", {"alias": "example_alias"}),
    ],
    ids=["a release of GitHub", "a Helm release of Flux", "an alias of MLflow"],
)
def test_another_published_event_declares_a_deployment(
    kind: str, payload: Any, headers: dict[str, str], name: str, detail: dict[str, str]
):
    """Tools with several events that deploy something are understood in each of them."""
    body = json.dumps(payload).encode()
    response, declared = with_api(
        lambda api: post(api, kind, body, headers={**signed(kind, body), **headers}), config=WITH_HOOKS
    )
    assert (response.status_code, [(each.name, dict(each.detail)) for each in declared]) == (201, [(name, detail)])


@pytest.mark.parametrize("kind", [each[0] for each in PUBLISHED])
def test_a_forged_webhook_declares_nothing(kind: str):
    """Another secret, no header, another body and an unknown name are all refused in the same way."""
    payload = next(each[1] for each in PUBLISHED if each[0] == kind)
    body = json.dumps(payload).encode()

    async def run(api: Api):
        wrong = {name: value.replace(SECRET, "guess").replace("=", "=0") for name, value in signed(kind, body).items()}
        wrong = {name: value.replace("v1,", "v1,A") for name, value in wrong.items()}
        address = f"/webhooks/{kind}"
        responses = [await api.send("POST", address, body, headers=headers) for headers in ({"x-nothing": "1"}, wrong)]
        if kind not in ("gitlab", "argo_cd", "hugging_face"):  # these send the secret, not a signature of the body
            responses.append(await api.send("POST", address, body + b" ", headers=signed(kind, body)))
        responses.append(await api.send("POST", "/webhooks/unknown", body, headers=signed(kind, body)))
        return {response.status_code for response in responses}, {response.text for response in responses}, api

    statuses, texts, api = with_api(run, config=WITH_HOOKS)
    assert (statuses, len(texts), api.store.declared) == ({401}, 1, [])


def test_an_old_signature_is_refused():
    """A request of MLflow that is sent again ten minutes later is refused."""
    body = json.dumps(MLFLOW).encode()
    assert KINDS["mlflow"].is_genuine(SECRET, signed("mlflow", body), body, NOW.timestamp() + 200)
    assert not KINDS["mlflow"].is_genuine(SECRET, signed("mlflow", body), body, NOW.timestamp() + 600)


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        ("github", {**GITHUB, "deployment_status": {"state": "failure"}}),
        ("gitlab", {**GITLAB, "status": "running"}),
        ("argo_cd", {**ARGO_CD, "phase": "Failed"}),
        ("flux", {**FLUX, "severity": "error"}),
        ("hugging_face", {**HUGGING_FACE, "event": {"action": "create", "scope": "discussion"}}),
        ("hugging_face", {**HUGGING_FACE, "updatedRefs": [{"ref": "refs/pr/1", "newSha": "1"}]}),
        ("mlflow", {**MLFLOW, "entity": "registered_model"}),
    ],
)
def test_an_event_that_deploys_nothing_changes_nothing(kind: str, payload: Any):
    """The tool gets 200, so that it does not send the event again."""
    response, declared = with_api(lambda api: post(api, kind, payload), config=WITH_HOOKS)
    assert (response.status_code, declared) == (200, [])


@pytest.mark.parametrize(
    ("payload", "status"),
    [(b"{", 400), (b"[]", 400), ({"images": []}, 422), ({"images": [{"tag": {}}]}, 422)],
)
def test_a_signed_body_without_a_name_is_refused(payload: Any, status: int):
    """The sender learns what is wrong, and nothing is declared."""
    response, declared = with_api(lambda api: post(api, "plain", payload), config=WITH_HOOKS)
    assert (response.status_code, declared) == (status, [])


def test_characters_that_cannot_be_stored_are_replaced():
    """U+0000, control characters and half characters do not reach the database."""
    payload = b'{"images": [{"tag": "v7\\u0000\\u0007\\ud83d"}]}'
    response, declared = with_api(lambda api: post(api, "plain", payload), config=WITH_HOOKS)
    assert (response.status_code, [each.name for each in declared]) in ((201, ["v7  ?"]), (400, []))


def test_guessing_a_secret_is_limited():
    """After ten wrong signatures from one address even a right one waits."""

    async def run(api: Api):
        for _ in range(AccessOptions().wrong_tokens_per_minute):
            await api.send("POST", "/webhooks/github", b"{}", headers={"x-hub-signature-256": "sha256=00"})
        return await post(api, "github", GITHUB)

    response, declared = with_api(run, config=WITH_HOOKS)
    assert (response.status_code, declared) == (429, [])
