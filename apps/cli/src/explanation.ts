import type { AskedSource, Explanation } from "@autokestra/secrets-core";

const ANSWERS: Readonly<Record<AskedSource["status"], string>> = {
  found: "found",
  notFound: "not found",
  denied: "denied",
  malformed: "malformed",
  unavailable: "unavailable",
};

/** Where a secret comes from, for people: the outcome, then a line for each source that was asked. */
export function describeExplanation({ name, source, binding, asked }: Explanation): string {
  const outcome = source === null ? "a run would not start" : `from ${source}`;
  const bound = binding === undefined ? "" : `, bound to ${binding.source}`;
  const width = Math.max(0, ...asked.map((each) => each.source.length));
  const lines = asked.map(
    ({ source: id, status, reason, milliseconds }) =>
      `  ${id.padEnd(width)}  ${ANSWERS[status].padEnd(11)}  ${milliseconds.toFixed(0).padStart(5)} ms${reason === undefined ? "" : `  ${reason}`}\n`,
  );
  return `${name}: ${outcome}${bound}\n${lines.join("")}`;
}

/** The same for programs: JSON leaves out what is undefined. */
export function explanationToJson({ name, source, binding, asked }: Explanation): object {
  const answers = asked.map(({ source: id, status, reason, milliseconds }) => ({
    source: id,
    status,
    reason,
    milliseconds: Math.round(milliseconds),
  }));
  return { name, source, binding, asked: answers };
}
