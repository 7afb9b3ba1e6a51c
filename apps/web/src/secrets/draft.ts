import type { ApiField, ApiNewSecret, ApiSecret, ApiSecretChange } from "@autokestra/server/answers";
import type { SecretValues } from "./calls.ts";
import { type SecretType, TYPES } from "./types.ts";

/** A secret as it is being typed: texts, until it is sent. */
export interface Draft {
  readonly name: string;
  readonly type: SecretType;
  /** By the fields of its type. */
  readonly values: Readonly<Record<string, string>>;
  /** The fields of a custom secret. */
  readonly custom: readonly { readonly name: string; readonly value: string }[];
  /** Whether values are sent: always for a new secret. */
  readonly replacesValues: boolean;
  readonly hasNoPassword: boolean;
  readonly description: string;
  readonly tags: string;
  /** `2027-01-31`, or empty. */
  readonly expiresOn: string;
  /** Fields that are not treated as their type says: `public` or `masked`, by field. */
  readonly treatments: Readonly<Record<string, string>>;
  readonly workflows: string;
  readonly taskTypes: string;
  readonly hosts: string;
  /** The fields that are stored; null for a new secret. */
  readonly storedFields: readonly string[] | null;
}

/** What every part of the form takes: the draft, and how it is changed. */
export interface DraftProps {
  readonly draft: Draft;
  readonly set: (part: Partial<Draft>) => void;
}

export const EMPTY_DRAFT: Draft = {
  name: "",
  type: "apiKey",
  values: {},
  custom: [{ name: "", value: "" }],
  replacesValues: true,
  hasNoPassword: false,
  description: "",
  tags: "",
  expiresOn: "",
  treatments: {},
  workflows: "",
  taskTypes: "",
  hosts: "",
  storedFields: null,
};

/** A stored secret, as what is typed begins. */
export function draftOf(secret: ApiSecret, fields: readonly ApiField[]): Draft {
  const { name, type, description, tags, expiresAt, allow } = secret;
  const isIdentifier = (field: string) => TYPES[type].fields.some((one) => one.name === field && one.isIdentifier);
  const treatments = fields.flatMap((field) => {
    if (field.public) return [[field.name, "public"]];
    return field.masked && isIdentifier(field.name) ? [[field.name, "masked"]] : [];
  });
  const draft: Draft = {
    ...EMPTY_DRAFT,
    name,
    type,
    replacesValues: false,
    description: description ?? "",
    tags: tags.join(", "),
    expiresOn: expiresAt?.slice(0, 10) ?? "",
    treatments: {},
    workflows: allow?.workflows.join(", ") ?? "",
    taskTypes: allow?.taskTypes.join(", ") ?? "",
    hosts: allow?.hosts.join(", ") ?? "",
    storedFields: fields.map((field) => field.name),
  };
  const treatable = new Set(treatableFields(draft).map((field) => field.name));
  return { ...draft, treatments: Object.fromEntries(treatments.filter(([field = ""]) => treatable.has(field))) };
}

/** Values that are stored, as if somebody had typed them. */
export function typedValues(type: SecretType, values: SecretValues): Pick<Draft, "custom"> | Pick<Draft, "values"> {
  const texts = Object.entries(values).map(
    ([name, value]) => [name, Array.isArray(value) ? value.join(" ") : `${value}`] as const,
  );
  if (type === "custom") return { custom: texts.map(([name, value]) => ({ name, value })) };
  return { values: Object.fromEntries(texts) };
}

/** The fields of which one can say how they are treated: user names, and all of custom secrets. */
export function treatableFields(
  draft: Draft,
): readonly { readonly name: string; readonly label: string; readonly isIdentifier: boolean }[] {
  if (draft.type !== "custom") {
    const identifiers = TYPES[draft.type].fields.filter(({ isIdentifier }) => isIdentifier);
    return identifiers.map(({ name, label }) => ({ name, label, isIdentifier: true }));
  }
  const names = draft.replacesValues ? draft.custom.map(({ name }) => name) : (draft.storedFields ?? []);
  return [...new Set(names)].filter((name) => name !== "").map((name) => ({ name, label: name, isIdentifier: false }));
}

export function newSecretOf(draft: Draft): ApiNewSecret {
  const { name, type, description, tags, expiresOn } = draft;
  const rules = rulesOf(draft);
  return {
    name,
    type,
    fields: fieldsOf(draft),
    ...(draft.hasNoPassword && { allowEmpty: true }),
    ...(description.trim() !== "" && { description: description.trim() }),
    ...(tags.trim() !== "" && { tags: toList(tags) }),
    ...(expiresOn !== "" && { expiresAt: expiresOn }),
    ...treatmentsOf(draft),
    ...(rules !== null && { allow: rules }),
  };
}

/** What has been changed, and nothing else. */
export function changeOf(before: Draft, draft: Draft): ApiSecretChange {
  const { name, description, tags, expiresOn } = draft;
  const isChanged = (...keys: readonly (keyof Draft)[]) => keys.some((key) => before[key] !== draft[key]);
  return {
    ...(isChanged("name") && { name }),
    ...(draft.replacesValues && { fields: fieldsOf(draft), ...(draft.hasNoPassword && { allowEmpty: true }) }),
    ...(isChanged("description") && { description: description.trim() === "" ? null : description.trim() }),
    ...(isChanged("tags") && { tags: toList(tags) }),
    ...(isChanged("expiresOn") && { expiresAt: expiresOn === "" ? null : expiresOn }),
    ...(isChanged("treatments") && treatmentsOf(draft)),
    ...(isChanged("workflows", "taskTypes", "hosts") && { allow: rulesOf(draft) }),
  };
}

function fieldsOf({ type, values, custom, hasNoPassword }: Draft): Record<string, string> {
  if (type === "custom") return Object.fromEntries(custom.map(({ name, value }) => [name, value]));
  const given = Object.entries(values).filter(([, value]) => value !== "");
  return { ...Object.fromEntries(given), ...(hasNoPassword && (values["password"] ?? "") === "" && { password: "" }) };
}

/** Fields that no longer exist are not sent. */
function treatmentsOf(draft: Draft): Pick<ApiNewSecret, "publicFields" | "maskFields"> {
  const fieldsWith = (treatment: string) =>
    treatableFields(draft).flatMap(({ name }) => (draft.treatments[name] === treatment ? [name] : []));
  const isNew = draft.storedFields === null;
  const [publicFields, maskFields] = [fieldsWith("public"), fieldsWith("masked")];
  if (isNew && publicFields.length === 0 && maskFields.length === 0) return {};
  return { publicFields, maskFields };
}

/** Null: there are none. */
function rulesOf({ workflows, taskTypes, hosts }: Draft): Exclude<ApiNewSecret["allow"], undefined> {
  const rules = { workflows: toList(workflows), taskTypes: toList(taskTypes), hosts: toList(hosts) };
  return Object.values(rules).every((list) => list.length === 0) ? null : rules;
}

function toList(text: string): string[] {
  return text
    .split(",")
    .map((entry) => entry.trim())
    .filter(Boolean);
}
