import { TextInput } from "../components/text-input.tsx";
import type { Draft, DraftProps } from "./draft.ts";
import { SecretInput } from "./secret-input.tsx";
import { type FieldOfType, TYPES } from "./types.ts";

const NAME_RULE = "Letters, digits, _ and -, such as GITHUB_TOKEN.";
const NAME_PATTERN = { pattern: "[A-Za-z0-9_\\-]+", rule: NAME_RULE } as const;

export function NameInput({ draft, set, hasVersions = false }: DraftProps & { hasVersions?: boolean }) {
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

/** The values of a secret: the fields of its type, or as many as somebody adds. */
export function ValueInputs({ draft, set }: DraftProps) {
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
