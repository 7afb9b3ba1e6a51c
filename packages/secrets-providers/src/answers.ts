import type { NotFound, SourceFailure } from "@autokestra/secrets-core";
import { quoteText } from "@autokestra/secrets-core/internal";

/** Every answer but a value. */
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

/** What a server or a program means by a status of its own. @param reason a clause */
export function meaning(status: Failure["status"], reason: string, hint?: string): Failure {
  return status === "notFound" ? notFound(`${reason}.`) : { status, reason, hint };
}

/** Text from outside for a message, such as a path: on one line, cut only where nobody would read on. */
export function quoteLong(text: string): string {
  return text.length <= 80 ? quoteText(text) : `${quoteText(text.slice(0, 80))}${quoteText(text.slice(80, 160))}`;
}

/** UTF-8 as it stands, or null where it is none. */
export function decodeText(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}
