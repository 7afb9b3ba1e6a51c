import type { ValidInput } from "./check-input.ts";
import { AutokestraError, secretNotFound } from "./errors.ts";
import type { SecretMetadata } from "./secret.ts";
import type { IfStored } from "./secret-service.ts";

/** Checks that a stored secret is the one that a change is for. @throws AutokestraError `SECRET_NOT_FOUND`, `VERSION_CONFLICT` */
export function checkStored({ name, id, revision }: SecretMetadata, { ifId, ifRevision }: IfStored): void {
  if (ifId !== undefined && ifId !== id) throw secretNotFound(name);
  if (ifRevision === undefined || ifRevision === revision) return;
  const message = `Secret '${name}' has revision ${revision}, not ${ifRevision}; nothing was changed`;
  throw new AutokestraError("VERSION_CONFLICT", message, { hint: "Read it again, then change it." });
}

/**
 * Checks that what is stored under the name of an input is what the input expects.
 *
 * @param current null if nothing is
 * @throws AutokestraError `SECRET_NOT_FOUND`, `VERSION_CONFLICT`
 */
export function checkExpected(input: ValidInput, current: SecretMetadata | null): void {
  const { name, type, ifVersion, keepType } = input;
  if (current !== null) checkStored(current, input);
  else if (input.ifId !== undefined) throw secretNotFound(name);
  if (ifVersion !== undefined && ifVersion !== (current?.version ?? 0)) {
    const is = current === null ? "does not exist" : `has version ${current.version}`;
    const message = `Secret '${name}' ${is}, not version ${ifVersion}; nothing was written`;
    throw new AutokestraError("VERSION_CONFLICT", message, {
      hint: "Read it again, then write with its current version, or with 0 if it does not exist.",
    });
  }
  if (keepType && current !== null && current.type !== type) {
    const message = `Secret '${name}' is of type ${current.type}, not ${type}; nothing was written`;
    throw new AutokestraError("VERSION_CONFLICT", message, {
      hint: "Someone else has changed its type. Give the fields of that type, or name the type to change it.",
    });
  }
}
