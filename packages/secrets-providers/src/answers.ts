import type { NotFound, SourceFailure } from "@autokestra/secrets-core";
import { quoteText } from "@autokestra/secrets-core/internal";

/** All answers except a value. */
export type Failure = NotFound | SourceFailure;

/** @param reason a sentence */
export function notFound(reason: string): NotFound {
  return { status: "notFound", reason };
}

export function malformed(reason: string, hint?: string): SourceFailure {
  return { status: "malformed", reason, hint };
}

export function denied(reason: string, hint?: string): SourceFailure {
  return { status: "denied", reason, hint };
}

export function unavailable(reason: string, hint?: string): SourceFailure {
  return { status: "unavailable", reason, hint };
}

export function timedOut(reason: string): SourceFailure {
  return { status: "unavailable", reason, timedOut: true };
}

/** Returns the answer for a status that a server or a program uses in its own way. @param reason a clause */
export function meaning(status: Failure["status"], reason: string, hint?: string): Failure {
  return status === "notFound" ? notFound(`${reason}.`) : { status, reason, hint };
}

/** Refuses a version that is not a number from 1 on; null for none, and for a number. */
export function refuseVersion(version: string | undefined): SourceFailure | null {
  if (version === undefined || /^[1-9]\d*$/.test(version)) return null;
  return malformed(`${quoteLong(version)} is not a version`, "Versions are numbers, from 1 on.");
}

/** Makes longer text from outside, such as a path, fit for one line of a message. Cuts it at 160 characters. */
export function quoteLong(text: string): string {
  return text.length <= 80 ? quoteText(text) : `${quoteText(text.slice(0, 80))}${quoteText(text.slice(80, 160))}`;
}

/** Decodes UTF-8 without changing anything. Returns null if it is not valid. */
export function decodeText(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}
