import type { ApiField, ApiNewSecret, ApiSecretChange } from "@autokestra/server/answers";
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { Loading, ProblemMessage } from "../components/messages.tsx";
import { Page } from "../components/page.tsx";
import { Labelled, TextInput } from "../components/text-input.tsx";
import { useLoaded, useSession, useWork } from "../hooks.ts";
import { hrefOf, navigate } from "../router.ts";
import { changeSecret, createSecret, getSecret, listFields, reveal, type TaggedSecret } from "./calls.ts";
import { changeOf, type Draft, draftOf, EMPTY_DRAFT, newSecretOf, treatableFields } from "./draft.ts";
import { SecretInput } from "./secret-input.tsx";
import { type FieldOfType, TYPE_NAMES, TYPES } from "./types.ts";

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
        <NameInput draft={draft} set={set} />
        <ValueInputs draft={draft} set={set} />
      </SecretForm>
    </Page>
  );
}

/** Changes a secret. */
export function EditSecret({ id }: { id: string }) {
  const { api } = useSession();
  const { value, error, reload } = useLoaded(
    async (signal) => ({ ...(await getSecret(api, id, signal)), fields: await listFields(api, id, signal) }),
    [api, id],
  );
  const back = { href: hrefOf(["secrets", id]), text: value?.secret.name ?? "Secret" };
  return (
    <Page title={value === null ? "Edit" : `Edit ${value.secret.name}`} windowTitle="Edit secret" back={back}>
      {value !== null && <EditForm {...value} />}
      {value === null && (error === null ? <Loading /> : <ProblemMessage error={error} onRetry={reload} />)}
    </Page>
  );
}

function EditForm({ secret, etag, fields }: TaggedSecret & { fields: readonly ApiField[] }) {
  const { api, may, tell } = useSession();
  const { id, type } = secret;
  const [before] = useState(() => draftOf(secret, fields));
  const [draft, setDraft] = useState(before);
  const set = (part: Partial<Draft>) => setDraft((last) => ({ ...last, ...part }));
  const { isBusy, error, start } = useWork();
  const isSingle = type !== "custom" && TYPES[type].fields.length === 1;

  async function fillIn(): Promise<void> {
    const values = await reveal(api, id, {});
    const texts = Object.entries(values).map(([name, value]) => [
      name,
      Array.isArray(value) ? value.join(" ") : `${value}`,
    ]);
    set(
      type === "custom"
        ? { custom: texts.map(([name = "", value = ""]) => ({ name, value })) }
        : { values: Object.fromEntries(texts) },
    );
  }

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
      {draft.replacesValues ? (
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
      ) : (
        <p>
          <button type="button" class="secondary outline" onClick={() => set({ replacesValues: true })}>
            {isSingle ? "Replace the value" : "Replace the values"}
          </button>
        </p>
      )}
    </SecretForm>
  );
}

interface DraftProps {
  readonly draft: Draft;
  readonly set: (part: Partial<Draft>) => void;
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
      <AboutInputs draft={draft} set={set} />
      <TreatmentInputs draft={draft} set={set} />
      <RuleInputs draft={draft} set={set} />
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

const NAME_RULE = "Letters, digits, _ and -, such as GITHUB_TOKEN.";
const NAME_PATTERN = { pattern: "[A-Za-z0-9_\\-]+", rule: NAME_RULE } as const;

function NameInput({ draft, set, hasVersions = false }: DraftProps & { hasVersions?: boolean }) {
  return (
    <TextInput
      label="Name"
      isRequired
      isCode
      value={draft.name}
      {...NAME_PATTERN}
      hint={
        hasVersions
          ? "Workflows that use the old name no longer find the secret when you change it."
          : `Workflows refer to it by this name. ${NAME_RULE}`
      }
      onInput={(name) => set({ name })}
    />
  );
}

function ValueInputs({ draft, set }: DraftProps) {
  if (draft.type === "custom") return <CustomInputs draft={draft} set={set} />;
  const inputs = TYPES[draft.type].fields.map((field) => (
    <FieldInput key={field.name} field={field} draft={draft} set={set} />
  ));
  return (
    <>
      {inputs}
      {draft.type === "basicAuth" && (draft.values["password"] ?? "") === "" && (
        <label>
          <input
            type="checkbox"
            checked={draft.hasNoPassword}
            onChange={(event) => set({ hasNoPassword: event.currentTarget.checked })}
          />
          This user has no password
        </label>
      )}
    </>
  );
}

function FieldInput({ field, draft, set }: DraftProps & { field: FieldOfType }) {
  const { name, label, hint } = field;
  const value = draft.values[name] ?? "";
  const isRequired = field.isRequired === true && !(name === "password" && draft.hasNoPassword);
  const onInput = (text: string) => set({ values: { ...draft.values, [name]: text } });
  const shared = { label, value, isRequired, onInput, ...(hint !== undefined && { hint }) };
  return field.isPlain === true ? <TextInput {...shared} /> : <SecretInput {...shared} />;
}

function CustomInputs({ draft: { custom }, set }: DraftProps) {
  const change = (index: number, part: Partial<Draft["custom"][number]>) =>
    set({ custom: custom.map((field, other) => (other === index ? { ...field, ...part } : field)) });
  return (
    <fieldset>
      <legend>Fields</legend>
      {custom.map((field, index) => (
        // Rows have no name of their own before somebody gives them one.
        <fieldset class="custom-field" key={index}>
          <legend class="visually-hidden">Field {index + 1}</legend>
          <TextInput
            label="Field name"
            isRequired
            isCode
            value={field.name}
            {...NAME_PATTERN}
            onInput={(name) => change(index, { name })}
          />
          <SecretInput label="Value" isRequired value={field.value} onInput={(value) => change(index, { value })} />
          {custom.length > 1 && (
            <button
              type="button"
              class="secondary outline small"
              aria-label={`Remove field ${field.name || index + 1}`}
              onClick={() => set({ custom: custom.filter((_, other) => other !== index) })}
            >
              Remove
            </button>
          )}
        </fieldset>
      ))}
      <button
        type="button"
        class="secondary outline small"
        onClick={() => set({ custom: [...custom, { name: "", value: "" }] })}
      >
        Add a field
      </button>
    </fieldset>
  );
}

function AboutInputs({ draft, set }: DraftProps) {
  return (
    <>
      <TextInput
        label="Description"
        value={draft.description}
        hint="What it is for, and whom to ask. It is not encrypted: keep values out of it."
        onInput={(description) => set({ description })}
      />
      <div class="grid">
        <TextInput label="Tags" value={draft.tags} hint="With commas between them" onInput={(tags) => set({ tags })} />
        <Labelled label="Expires" hint="Empty for never. You are reminded 30 days before.">
          {(ids) => (
            <input
              {...ids}
              type="date"
              value={draft.expiresOn}
              onInput={(event) => set({ expiresOn: event.currentTarget.value })}
            />
          )}
        </Labelled>
      </div>
    </>
  );
}

/** How fields are treated that may be treated differently. */
function TreatmentInputs({ draft, set }: DraftProps) {
  const fields = treatableFields(draft);
  if (fields.length === 0) return null;
  return (
    <details>
      <summary>Which fields are masked in logs</summary>
      {fields.map(({ name, label, isIdentifier }) => (
        <label key={name}>
          Masking of {label}
          <select
            value={draft.treatments[name] ?? "type"}
            onChange={(event) => set({ treatments: { ...draft.treatments, [name]: event.currentTarget.value } })}
          >
            <option value="type">{isIdentifier ? "Masked next to its password only" : "Masked everywhere"}</option>
            {isIdentifier && <option value="masked">Masked everywhere</option>}
            <option value="public">Public: encrypted here, never masked</option>
          </select>
        </label>
      ))}
    </details>
  );
}

const RULES = [
  { key: "workflows", label: "Workflows", hint: "Their ids, such as deploy, nightly" },
  { key: "taskTypes", label: "Types of tasks", hint: "Such as core/http.*" },
  {
    key: "hosts",
    label: "Hosts",
    hint: "Where it may be sent to: api.example.com, *.example.com, db.example.com:5432",
  },
] as const;

function RuleInputs({ draft, set }: DraftProps) {
  return (
    <details open={RULES.some(({ key }) => draft[key] !== "")}>
      <summary>Who may use it</summary>
      <p class="fine">
        Without rules, every workflow that names it. Several entries have commas between them; each line that is not
        empty must hold.
      </p>
      {RULES.map(({ key, label, hint }) => (
        <TextInput
          key={key}
          label={label}
          isCode
          value={draft[key]}
          hint={hint}
          onInput={(text) => set({ [key]: text })}
        />
      ))}
    </details>
  );
}
