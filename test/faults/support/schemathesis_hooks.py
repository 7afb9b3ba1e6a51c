"""What the description of the HTTP API cannot say in JSON Schema, for schemathesis: see schemathesis.toml."""

import base64
import hashlib
import hmac
import os
import re
import time
import unicodedata
import uuid

import schemathesis

WORKFLOWS = os.environ["WORKFLOW_IDS"].split()
# What a right request may be refused as: its schema cannot say it.
REFUSED_AS = {
    "createSecret": {"SECRET_EXISTS"},
    "changeSecret": {"SECRET_EXISTS"},
    "rerunRun": {"TASK_NOT_FOUND"},
}

# What the calls of secrets and runs can be made with: the ids that the server has given, without those that were deleted.
present = {os.environ[name] for name in ("SECRET_ID", "CHANGED_ID", "RUN_ID", "FAILED_RUN_ID")}
HOST = re.compile(r"(\*\.)?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*(:[1-9][0-9]{0,3})?")


def is_line(character):
    category = unicodedata.category(character)
    return not category.startswith("C") and category not in ("Zl", "Zp")


def line(text):
    return "".join(filter(is_line, text))


def is_right(case):
    return case.meta is not None and case.meta.generation.mode.is_positive


def operation_of(case):
    return case.operation.definition.raw.get("operationId")


@schemathesis.hook
def before_call(context, case, kwargs):
    operation = operation_of(case)
    if not is_right(case):
        return
    if operation == "receiveWebhook":
        sign(case)
    if isinstance(case.body, dict) and operation == "startRun":
        start_workflow(case.body)
    if isinstance(case.body, dict) and operation in ("createSecret", "changeSecret"):
        fit_secret(case.body, operation)


def sign(case):
    """Right webhooks are signed (https://www.standardwebhooks.com), each with an id of its own; they have no body."""
    head = f"{uuid.uuid4()}.{int(time.time())}"
    digest = hmac.new(os.environ["HOOK_KEY"].encode(), f"{head}.".encode(), hashlib.sha256).digest()
    number, moment = head.split(".")
    case.headers = {
        **(case.headers or {}),
        "webhook-id": number,
        "webhook-timestamp": moment,
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }


def start_workflow(body):
    """Right bodies start a workflow that is there, with inputs that it has."""
    drawn = list(body.get("inputs", {}).values())
    body["workflow"] = WORKFLOWS[len(body["workflow"] + str(drawn)) % len(WORKFLOWS)]
    texts = [value for value in drawn if isinstance(value, str) and value != ""]
    choices = {
        "password": texts[0] if texts else "changed",
        "text": "abc",
        "choice": "two",
        "amount": len(drawn) % 10,
        "flag": len(drawn) % 2 == 0,
        "tree": {"drawn": texts},
    }
    body["inputs"] = dict(list(choices.items())[: len(drawn) + 1]) if body["workflow"] == "inputs" else {}


def fit_secret(body, operation):
    """Right bodies name fields that are there, and times once; their lines have no characters of categories without a shape."""
    if operation == "changeSecret" and "fields" in body:
        # Of the type of the secrets that are changed, which its schema cannot know.
        texts = [value for value in body["fields"].values() if isinstance(value, str) and value != ""]
        body["fields"] = {"value": texts[0] if texts else "changed"}
    fields = body.get("fields", {})
    names = list(fields) if fields or operation == "createSecret" else ["value"]
    # Only of custom secrets any field can be public, and none that is masked.
    is_custom = operation == "createSecret" and body.get("type", "custom") == "custom"
    if "maskFields" in body:
        body["maskFields"] = names[:1]
    if "publicFields" in body:
        body["publicFields"] = names[1:] if is_custom else []
    hosts = (body.get("allow") or {}).get("hosts")
    if hosts:
        # Names of hosts may have letters of any script: no pattern says which these are.
        body["allow"]["hosts"] = [
            host if HOST.fullmatch(host) else f"h{index}.example.com" for index, host in enumerate(hosts)
        ]
    if "expiresAt" in fields:
        body.pop("expiresAt", None)
    if isinstance(body.get("description"), str):
        body["description"] = line(body["description"])
    if "tags" in body:
        body["tags"] = [tag for tag in map(line, body["tags"]) if tag]


@schemathesis.hook
def after_call(context, case, response):
    """Keeps which secrets and runs there are."""
    operation = operation_of(case)
    if operation == "createSecret" and response.status_code == 201:
        present.add(response.json()["id"])
    if operation in ("startRun", "rerunRun", "receiveWebhook") and response.status_code == 202:
        present.add(response.json()["execution"])
    if operation == "deleteSecret" and response.status_code == 200:
        present.discard((case.path_parameters or {}).get("id"))


@schemathesis.check
def only_what_no_schema_can_say_is_refused(ctx, response, case):
    """A body can fit its schema and be refused all the same, for the reasons of its call."""
    if not is_right(case) or response.status_code != 400:
        return
    code = response.json()["code"]
    detail = response.json()["detail"]
    assert code in REFUSED_AS.get(operation_of(case), set()), f"a right request is refused as {code}: {detail}"


@schemathesis.check
def only_what_is_not_there_is_not_found(ctx, response, case):
    """The calls of what is there find it, whatever else was called before."""
    if response.status_code != 404 or operation_of(case) == "restoreSecret":
        return
    code = response.json()["code"]
    missing = (case.path_parameters or {}).get("id") not in present
    # A version or a field of a secret that is there need not be.
    assert missing or code in ("VERSION_NOT_FOUND", "NOT_FOUND"), f"what is there is {code}"
