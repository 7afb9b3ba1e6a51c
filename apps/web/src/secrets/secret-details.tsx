import type { ApiSecret } from "@autokestra/server/answers";
import { useState } from "preact/hooks";
import { ConfirmDialog } from "../components/dialog.tsx";
import { Badge, Loading, ProblemMessage, Shown, Time } from "../components/messages.tsx";
import { Card, Page } from "../components/page.tsx";
import { useLoaded, useSession } from "../hooks.ts";
import { hrefOf, navigate } from "../router.ts";
import { deleteSecret, getSecret, listFields, listUsers } from "./calls.ts";
import { Expiry, Tags } from "./secret-list.tsx";
import { SecretValue } from "./secret-value.tsx";
import { SecretVersions } from "./secret-versions.tsx";
import { TYPES } from "./types.ts";

const BACK = { href: hrefOf(["secrets"]), text: "Secrets" };

/** One secret: its values, what is known of it, who uses it, and its versions. */
export function SecretDetails({ id }: { id: string }) {
  const { api, info, may } = useSession();
  const [isDeleting, setDeleting] = useState(false);
  const { value, error, reload } = useLoaded(async (signal) => await getSecret(api, id, signal), [api, id]);
  if (value === null) {
    return (
      <Page title="Secret" back={BACK}>
        {error === null ? <Loading /> : <ProblemMessage error={error} onRetry={reload} />}
      </Page>
    );
  }
  const { secret } = value;
  const actions = may("secrets:write") && (
    <>
      <a class="button secondary outline" href={hrefOf(["secrets", id, "edit"])}>
        Edit
      </a>
      <button type="button" class="secondary outline" onClick={() => setDeleting(true)}>
        Delete
      </button>
    </>
  );
  return (
    <Page title={secret.name} windowTitle="Secret" back={BACK} actions={actions}>
      {secret.description !== null && <p class="lead">{secret.description}</p>}
      <div class="columns">
        <div>
          {/* A new version has new values. */}
          <Values key={secret.version} secret={secret} />
          <SecretVersions key={secret.updatedAt} secret={secret} onChange={reload} />
        </div>
        <div>
          <About secret={secret} />
          {info.parts.runs && <Users secret={secret} />}
        </div>
      </div>
      {isDeleting && <DeleteDialog secret={secret} onClose={() => setDeleting(false)} />}
    </Page>
  );
}

function Values({ secret: { id, type } }: { secret: ApiSecret }) {
  const { api, may } = useSession();
  const fields = useLoaded(async (signal) => await listFields(api, id, signal), [api, id]);
  const labels = new Map(TYPES[type].fields.map(({ name, label }) => [name, label]));
  return (
    <Card title={type === "apiKey" ? "Value" : "Values"}>
      <Shown loaded={fields}>
        {(list) => (
          <ul class="values">
            {list.map((field) => (
              <SecretValue key={field.name} id={id} field={field.name} label={labels.get(field.name) ?? field.name} />
            ))}
          </ul>
        )}
      </Shown>
      <p class="fine">
        {may("secrets:reveal")
          ? "A value is shown for 20 seconds. The audit log records each time that one is shown or copied."
          : "Your token may not see values."}
      </p>
    </Card>
  );
}

function About({ secret }: { secret: ApiSecret }) {
  const { type, tags, version, createdAt, updatedAt, expiresAt, allow } = secret;
  return (
    <Card title="About">
      <dl>
        <dt>Type</dt>
        <dd>{TYPES[type].label}</dd>
        <dt>Tags</dt>
        <dd>{tags.length === 0 ? <span class="muted">none</span> : <Tags tags={tags} />}</dd>
        <dt>Expires</dt>
        <dd>
          <Expiry expiresAt={expiresAt} />
        </dd>
        <dt>Version</dt>
        <dd>{version}</dd>
        <dt>Changed</dt>
        <dd>
          <Time iso={updatedAt} />
        </dd>
        <dt>Created</dt>
        <dd>
          <Time iso={createdAt} isRelative={false} />
        </dd>
        <dt>May be used by</dt>
        <dd>
          <Rules allow={allow} />
        </dd>
      </dl>
    </Card>
  );
}

function Rules({ allow }: Pick<ApiSecret, "allow">) {
  if (allow === undefined) return <span class="muted">all workflows</span>;
  if (allow === null) return <Badge tone="bad">nobody: this version cannot read its rules</Badge>;
  const lists = [
    ["workflows", allow.workflows],
    ["tasks", allow.taskTypes],
    ["for hosts", allow.hosts],
  ] as const;
  return (
    <>
      {lists.map(([name, list]) =>
        list.length === 0 ? null : (
          <div key={name}>
            {name} <code>{list.join(", ")}</code>
          </div>
        ),
      )}
    </>
  );
}

function Users({ secret: { id } }: { secret: ApiSecret }) {
  const { api, may } = useSession();
  const users = useLoaded(async (signal) => await listUsers(api, id, signal), [api, id]);
  return (
    <Card title="Used by">
      <Shown loaded={users}>
        {(list) =>
          list.length === 0 ? (
            <p class="muted">No workflow of this server.</p>
          ) : (
            <ul class="plain">
              {list.map(({ workflow, file, tasks }) => (
                <li key={file}>
                  {may("runs:read") ? (
                    <a href={hrefOf(["runs", "workflows", workflow])}>{workflow}</a>
                  ) : (
                    <strong>{workflow}</strong>
                  )}
                  <span class="description">
                    {file}
                    {tasks.length > 0 && `, ${tasks.length === 1 ? "task" : "tasks"} ${tasks.join(", ")}`}
                  </span>
                </li>
              ))}
            </ul>
          )
        }
      </Shown>
    </Card>
  );
}

function DeleteDialog({ secret: { id, name }, onClose }: { secret: ApiSecret; onClose: () => void }) {
  const { api, tell } = useSession();
  return (
    <ConfirmDialog
      title={`Delete ${name}?`}
      action="Delete"
      isDangerous
      onClose={onClose}
      onConfirm={async () => {
        await deleteSecret(api, id);
        tell(`${name} is deleted. It can be restored for 30 days.`);
        navigate(hrefOf(["secrets"]));
      }}
    >
      <p>Workflows that use it fail from now on. You can restore it for 30 days, under “Deleted” in the list.</p>
    </ConfirmDialog>
  );
}
