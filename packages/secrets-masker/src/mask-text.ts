import { Redaction } from "./redaction.ts";
import { type MaskRules, Search } from "./search.ts";

/** Of a text up to this length the few units that decide are read one by one. */
const SHORT = 1024;

const ESC = "\u001b";

/** Masks a whole text. Gives back the very text where there is nothing to mask. */
export function maskText(rules: MaskRules, text: string): string {
  if (text.length <= SHORT && !text.includes(ESC) && !rules.matcher.mayFind(text)) return text;
  const redaction = new Redaction(rules.tally);
  redaction.advance(new Search(rules, rules.matcher.subject(text), "whole"), text.length);
  let masked = "";
  let at = 0;
  for (const { start, end } of redaction.takeSpans()) {
    masked += text.slice(at, start) + rules.placeholder.text;
    at = end;
  }
  return at === 0 ? text : masked + text.slice(at);
}

/** The placeholder for a text that is a value from its first unit to its last, null for any other. */
export function maskExact({ matcher, placeholder, tally }: MaskRules, text: string): string | null {
  const owners = matcher.ownersOf(text);
  for (const owner of owners) tally.add(owner, true);
  return owners.length > 0 ? placeholder.text : null;
}
