import type { ApiField, ApiNewSecret, ApiSecretChange } from "@autokestra/server/answers";
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { ProblemMessage, Shown } from "../components/messages.tsx";
import { Page } from "../components/page.tsx";
import { useLoaded, useSession, useWork } from "../hooks.ts";
import { hrefOf, navigate } from "../router.ts";
import { changeSecret, createSecret, getSecret, listFields, reveal, type TaggedSecret } from "./calls.ts";
import { changeOf, type Draft, type DraftProps, draftOf, EMPTY_DRAFT, newSecretOf, typedValues } from "./draft.ts";
import { MetadataInputs } from "./metadata-inputs.tsx";
import { TYPE_NAMES, TYPES } from "./types.ts";
import { NameInput, ValueInputs } from "./value-inputs.tsx";

/** Stores a new secret. */
export function NewSecret() {
  const { api, tell } = useSession();
  const [draft, setDraft] = useState<Draft>(EMPTY_DRAFT);
  const set = (part: Partial<Draft>) => setDraft((before) => ({ ...before, ...part }));
  return (
    <Page title="New secret" back={{ href: hrefOf(["secrets"]), text: "Secrets" }}>
      <SecretForm
        draft={draft}
        set={set}
        action="Store secret"
        cancelHref={hrefOf(["secrets"])}
        onSubmit={async () => {
          const body: ApiNewSecret = newSecretOf(draft);
          const { id, name } = await createSecret(api, body);
          tell(`${name} is stored.`);
          navigate(hrefOf(["secrets", id]));
        }}
      >
        <TypeInput draft={draft} set={set} />
        <NameInput draft={draft} set={set} />
        <ValueInputs draft={draft} set={set} />
      </SecretForm>
    </Page>
  );
}

function TypeInput({ draft, set }: DraftProps) {
  return (
    <fieldset class="types">
      <legend>What is it?</legend>
      {TYPE_NAMES.map((type) => (
        <label key={type}>
          <input
            type="radio"
            name="type"
            checked={draft.type === type}
            aria-labelledby={`label-${type}`}
            aria-describedby={`about-${type}`}
            onChange={() => set({ type, values: {} })}
          />
          <span>
            <strong id={`label-${type}`}>{TYPES[type].label}</strong>
            <small id={`about-${type}`}>{TYPES[type].description}</small>
          </span>
        </label>
      ))}
    </fieldset>
  );
}

/** Changes a secret. */
export function EditSecret({ id }: { id: string }) {
  const { api } = useSession();
  const loaded = useLoaded(
    async (signal) => ({ ...(await getSecret(api, id, signal)), fields: await listFields(api, id, signal) }),
    [api, id],
  );
  const { value } = loaded;
  const back = { href: hrefOf(["secrets", id]), text: value?.secret.name ?? "Secret" };
  return (
    <Page title={value === null ? "Edit" : `Edit ${value.secret.name}`} windowTitle="Edit secret" back={back}>
      <Shown loaded={loaded}>{(stored) => <EditForm {...stored} />}</Shown>
    </Page>
  );
}

function EditForm({ secret, etag, fields }: TaggedSecret & { fields: readonly ApiField[] }) {
  const { api, tell } = useSession();
  const { id } = secret;
  const [before] = useState(() => draftOf(secret, fields));
  const [draft, setDraft] = useState(before);
  const set = (part: Partial<Draft>) => setDraft((last) => ({ ...last, ...part }));
  return (
    <SecretForm
      draft={draft}
      set={set}
      action="Save changes"
      cancelHref={hrefOf(["secrets", id])}
      onSubmit={async () => {
        const change: ApiSecretChange = changeOf(before, draft);
        await changeSecret(api, { secret, etag }, change);
        tell(`${draft.name} is changed.`);
        navigate(hrefOf(["secrets", id]));
      }}
    >
      <NameInput draft={draft} set={set} hasVersions />
      <NewValues id={id} draft={draft} set={set} />
    </SecretForm>
  );
}

/** The values of a stored secret, which stay as they are until somebody asks to replace them. */
function NewValues({ id, draft, set }: DraftProps & { id: string }) {
  const { api, may } = useSession();
  const { isBusy, error, start } = useWork();
  const { type } = draft;
  const isSingle = type !== "custom" && TYPES[type].fields.length === 1;
  if (!draft.replacesValues) {
    return (
      <p>
        <button type="button" class="secondary outline" onClick={() => set({ replacesValues: true })}>
          {isSingle ? "Replace the value" : "Replace the values"}
        </button>
      </p>
    );
  }

  const fillIn = async () => set(typedValues(type, await reveal(api, id, {})));

  return (
    <>
      {!isSingle && (
        <p class="fine">
          All fields are replaced: give every one that it is to have.{" "}
          {may("secrets:reveal") && (
            <button type="button" class="secondary outline small" aria-busy={isBusy} onClick={() => start(fillIn)}>
              Fill in what is stored
            </button>
          )}
        </p>
      )}
      <ProblemMessage error={error} />
      <ValueInputs draft={draft} set={set} />
    </>
  );
}

interface SecretFormProps extends DraftProps {
  readonly action: string;
  readonly cancelHref: string;
  readonly onSubmit: () => Promise<void>;
  readonly children: ComponentChildren;
}

function SecretForm({ draft, set, action, cancelHref, onSubmit, children }: SecretFormProps) {
  const { isBusy, error, start } = useWork();
  return (
    <form
      class="secret-form"
      autocomplete="off"
      onSubmit={(event) => {
        event.preventDefault();
        start(onSubmit);
      }}
    >
      {children}
      <MetadataInputs draft={draft} set={set} />
      <ProblemMessage error={error} />
      <div class="actions">
        <button type="submit" aria-busy={isBusy}>
          {action}
        </button>
        <a class="button secondary outline" href={cancelHref}>
          Cancel
        </a>
      </div>
    </form>
  );
}
