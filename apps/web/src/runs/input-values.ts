import type { ApiWorkflow } from "@autokestra/server/answers";

export type Inputs = ApiWorkflow["inputs"];
export type Input = Inputs[string];

/** The inputs of a workflow that is started by hand: with a webhook, also the inputs of a request. */
export function inputsOf({ inputs, trigger }: ApiWorkflow): Inputs {
  if (trigger?.type !== "webhook") return inputs;
  const brought = { type: "json", secret: false } as const;
  return {
    body: { ...brought, required: true, description: "What a request would send." },
    headers: { ...brought, required: false, default: {}, description: "The headers of the request." },
    ...inputs,
  };
}

/** What a field begins with. */
export function initialText({ type, secret, default: value }: Input): string {
  if (value === undefined || secret) return type === "boolean" ? "false" : "";
  return typeof value === "string" && type !== "json" ? value : JSON.stringify(value, null, type === "json" ? 2 : 0);
}

/**
 * The values of inputs as the API takes them. One that is as it was at first is left to the server, which has its default.
 *
 * @returns what is wrong, by the name of the input, instead of the values
 */
export function readInputs(
  inputs: Inputs,
  texts: Readonly<Record<string, string>>,
): { readonly values: Record<string, unknown> } | { readonly problems: Record<string, string> } {
  const values: Record<string, unknown> = {};
  const problems: Record<string, string> = {};
  for (const [name, input] of Object.entries(inputs)) {
    const text = texts[name] ?? "";
    const isLeft = !input.required && (text === initialText(input) || (text === "" && !canBeEmpty(input)));
    if (isLeft) continue;
    const read = text === "" && input.required ? { problem: "is needed" } : readText(input, text);
    if ("problem" in read) problems[name] = `${name} ${read.problem}.`;
    else values[name] = read.value;
  }
  return Object.keys(problems).length > 0 ? { problems } : { values };
}

/** Whether an empty field can mean an empty text, and not only that nothing was written. */
function canBeEmpty({ type, secret, enum: allowed }: Input): boolean {
  return type === "string" && !secret && allowed === undefined;
}

/** The server validates the inputs. Only texts that cannot be sent are refused here. */
function readText({ type }: Input, text: string): { readonly value: unknown } | { readonly problem: string } {
  if (type === "string") return { value: text };
  try {
    const value: unknown = JSON.parse(text);
    if (type === "json") return { value };
    // A number as it was written: as a number of JavaScript, a long one would be rounded.
    return typeof value === type ? { value: type === "number" ? text : value } : { problem: `is not a ${type}` };
  } catch {
    return { problem: type === "json" ? "is not JSON: texts need quotation marks" : `is not a ${type}` };
  }
}

/** `at least 3 characters`, `matches ^[a-z]+$` */
export function describeLimits({ type, min, max, pattern }: Input): readonly string[] {
  const unit = type === "string" ? " characters" : "";
  return [
    ...(min === undefined ? [] : [`at least ${min}${unit}`]),
    ...(max === undefined ? [] : [`at most ${max}${unit}`]),
    ...(pattern === undefined ? [] : [`matches ${pattern}`]),
  ];
}
