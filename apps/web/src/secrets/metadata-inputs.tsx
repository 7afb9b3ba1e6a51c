import { Labelled, TextInput } from "../components/text-input.tsx";
import { type DraftProps, treatableFields } from "./draft.ts";

/** What a secret has beside its name and values: what it is for, what is masked of it, and who may use it. */
export function MetadataInputs(props: DraftProps) {
  return (
    <>
      <AboutInputs {...props} />
      <TreatmentInputs {...props} />
      <RuleInputs {...props} />
    </>
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
