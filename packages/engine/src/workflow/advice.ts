import type { TextPart, YamlPath } from "@autokestra/config/yaml";
import type { Reference } from "@autokestra/secrets-core";
import { type FoundText, findInlineCredentials, type IsSecretInput, placeOf, taskTexts } from "./credentials.ts";
import type { ParsedWorkflow } from "./parse-workflow.ts";
import type { FindingCode, Problem } from "./problem.ts";

/**
 * Finds what runs and is probably a mistake: unused declarations, `{{` that does not mean what it seems to, credentials
 * in the file.
 *
 * @param isSecretInput tells whether the action of a task marks the input at this path as secret
 */
export function checkAdvice(parsed: ParsedWorkflow, isSecretInput: IsSecretInput): Problem[] {
  const found = [
    ...findUnused(parsed),
    ...taskTexts(parsed).flatMap((text) => [...findForeign(text), ...findEscaped(text)]),
    ...findInlineCredentials(parsed, isSecretInput).map(({ path }) => credentialAdvice(parsed, path)),
    ...findRequired(parsed),
  ];
  return found.map(({ code, message, hint, path, mark }, index) => {
    const severity = code === "INPUT_REQUIRED" ? "note" : "warning";
    return { code, severity, message, hint, position: index < MAX_PLACES ? parsed.locate(path, mark) : undefined };
  });
}

/** The maximum number of problems with a place, because finding a place takes longer than finding a problem. */
const MAX_PLACES = 100;

/** Something that was found, before its place is known. */
interface Advice {
  readonly code: FindingCode;
  readonly message: string;
  readonly hint?: string;
  readonly path: YamlPath;
  readonly mark?: TextPart;
}

function findUnused({ workflow: { secrets, inputs, trigger }, references }: ParsedWorkflow): Advice[] {
  const used = new Set(
    references.flatMap(({ result }) => ("reference" in result ? rootAndName(result.reference) : [])),
  );
  if (trigger?.type === "webhook") used.add(`secrets.${trigger.secret}`);
  const unused = (what: string, name: string, path: YamlPath): Advice => ({
    code: "UNUSED_DECLARATION",
    message: `${what} '${name}' is declared and not used`,
    hint: "Remove it, or write a reference to it.",
    path,
  });
  return [
    ...secrets.flatMap((name, index) =>
      used.has(`secrets.${name}`) ? [] : [unused("Secret", name, ["secrets", index])],
    ),
    ...Object.keys(inputs).flatMap((name) =>
      used.has(`inputs.${name}`) ? [] : [unused("Input", name, ["inputs", name])],
    ),
  ];
}

function rootAndName(reference: Reference): string[] {
  return "name" in reference ? [`${reference.root}.${reference.name}`] : [];
}

/** Finds `${{ … }}`, the syntax of GitHub Actions. */
function findForeign({ text, path }: FoundText): Advice[] {
  return places(text, /\$\{\{/g, 1).map((mark) => ({
    code: "FOREIGN_REFERENCE",
    message: "'${{' is a dollar sign and a reference here: the value follows the sign",
    hint: "Write {{ … }} without the dollar sign.",
    path,
    mark,
  }));
}

/** Finds `C:\{{`, where a Windows path was probably meant. */
function findEscaped({ text, path }: FoundText): Advice[] {
  return places(text, /(?<=[\p{L}\p{N}:])\\\{\{/gu, 1).map((mark) => ({
    code: "ESCAPED_REFERENCE",
    message: "'\\{{' is a literal '{{' here: no value is inserted",
    hint: "For a backslash and a value, as in a Windows path, write \\\\{{ (between double quotes: \\\\\\\\{{).",
    path,
    mark,
  }));
}

/**
 * Finds the `{{` of each match of a pattern.
 *
 * @param offset the offset of the `{{` in a match
 */
function places(text: string, pattern: RegExp, offset: number): TextPart[] {
  const found = [...text.matchAll(pattern)].slice(0, MAX_PLACES).map(({ index }) => index + offset);
  if (found.length === 0) return [];
  const all = [...text.matchAll(/\{\{/g)].map(({ index }) => index);
  return found.map((index) => ({ nth: all.indexOf(index), of: all.length, length: 2 }));
}

function credentialAdvice(parsed: ParsedWorkflow, path: YamlPath): Advice {
  const message = `${placeOf(parsed, path)} contains what looks like a credential, in plain text`;
  const hint = "Store it as a secret, declare it under `secrets:` and write {{ secrets.NAME }} here.";
  return { code: "INLINE_CREDENTIAL", message, hint, path };
}

function findRequired({ workflow: { inputs } }: ParsedWorkflow): Advice[] {
  return Object.entries(inputs).flatMap(([name, declaration]) => {
    if ("default" in declaration) return [];
    const message = `Input '${name}' has no default: each run must set it`;
    return [{ code: "INPUT_REQUIRED", message, path: ["inputs", name] } satisfies Advice];
  });
}
