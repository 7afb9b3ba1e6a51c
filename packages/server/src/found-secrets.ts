import { setImmediate } from "node:timers/promises";
import { isNarrowed, isVisible, visibleOnly } from "@autokestra/secrets";
import {
  AutokestraError,
  type FieldSecrecy,
  hasCode,
  type IfStored,
  type SecretEdit,
  type SecretFields,
  type SecretFilter,
  type SecretMetadata,
  type SecretService,
} from "@autokestra/secrets-core";
import { isUuid, primaryField, quoteText } from "@autokestra/secrets-core/internal";
import type { z } from "zod/v4";
import { forbidden } from "./access-control.ts";
import type { Principal } from "./principal.ts";
import type { changeSchema } from "./schemas.ts";

/** What is asked to be changed. */
type Change = z.output<typeof changeSchema>;

/** How often a change begins again because somebody else has changed the same secret. */
const ATTEMPTS = 5;

/** Not found is answered at the end of such a step: to look for what is hidden takes longer, because its row is read for its tags. */
const STEP_MS = 2;

/** A value that is given out: what was asked for, and its metadata. */
interface Revealed {
  readonly metadata: SecretMetadata;
  readonly fields: SecretFields;
  /** Of the single value; null where there is none, or where it was not asked for. */
  readonly value: SecretFields[string] | null;
}

/** One caller's secrets, by id: what they may not see is not found, in the same way as what is not there. */
export class FoundSecrets {
  readonly #secrets: SecretService;
  readonly #principal: Principal;
  readonly #isNarrowed: boolean;

  constructor(secrets: SecretService, principal: Principal) {
    this.#secrets = secrets;
    this.#principal = principal;
    this.#isNarrowed = isNarrowed(principal);
  }

  /** @param id UUID, or the number that it had where it was imported from @throws AutokestraError `SECRET_NOT_FOUND` */
  async byId(id: string, state: SecretFilter["state"] = "active"): Promise<SecretMetadata> {
    if (isUuid(id)) return await this.#one({ id, state }, id);
    if (/^(?:0|[1-9]\d{0,14})$/.test(id)) return await this.#one({ importedId: Number(id), state }, id);
    throw notFound(id);
  }

  async byName(name: string): Promise<SecretMetadata> {
    return await this.#one({ name }, name);
  }

  /** A page, and where it ends in the list of all; null where it is the last one. */
  async page(
    filter: SecretFilter,
    limit: number,
  ): Promise<{ readonly secrets: readonly SecretMetadata[]; readonly last: SecretMetadata | null }> {
    const whole = { ...filter, ...visibleOnly(this.#principal), limit };
    if (this.#isNarrowed) {
      const { secrets, listed, last } = await this.#secrets.listVerified(whole);
      return { secrets, last: listed === limit ? last : null };
    }
    const secrets = await this.#secrets.list(whole);
    return { secrets, last: secrets.length === limit ? (secrets.at(-1) ?? null) : null };
  }

  /** With the same statement, whether a secret is hidden or not there. What lets a secret be seen must be authentic. */
  async all(filter: SecretFilter): Promise<readonly SecretMetadata[]> {
    const whole = { ...filter, ...visibleOnly(this.#principal) };
    return this.#isNarrowed ? (await this.#secrets.listVerified(whole)).secrets : await this.#secrets.list(whole);
  }

  async count(filter: SecretFilter): Promise<number> {
    return await this.#secrets.count({ ...filter, ...visibleOnly(this.#principal) });
  }

  async reveal(id: string, version: number | undefined, field: string | undefined): Promise<Revealed> {
    const found = await this.byId(id);
    const { metadata, fields } = await this.#secrets.get(found.name, { atVersion: version });
    // Renamed, and another one has its name now.
    if (metadata.id !== found.id) throw notFound(id);
    if (field !== undefined && !Object.hasOwn(fields, field)) throw fieldNotFound(field, found.name, fields);
    const given = field === undefined ? fields : { [field]: fields[field] ?? "" };
    const primary = primaryField(metadata.type, Object.keys(fields));
    return { metadata, fields: given, value: primary === null ? null : (given[primary] ?? null) };
  }

  /** The fields of a secret without their values. */
  async fields(id: string): Promise<readonly FieldSecrecy[]> {
    const found = await this.byId(id);
    const { metadata, fields } = await this.#secrets.describe(found.name);
    if (metadata.id !== found.id) throw notFound(id);
    return fields;
  }

  /** @param ifMatch null: whatever is there @throws AutokestraError `PRECONDITION_FAILED`, `FORBIDDEN` */
  async change(id: string, change: Change, ifMatch: string | null): Promise<SecretMetadata> {
    return await this.#whileOthersChange(id, ifMatch, async (found) => {
      const { name = found.name, tags = found.tags } = change;
      checkReach(this.#principal, name, tags);
      return await applyChange(this.#secrets, found, change);
    });
  }

  async rollback(id: string, to: number): Promise<SecretMetadata> {
    return await this.#whileOthersChange(
      id,
      null,
      async (found) => await this.#secrets.rollback(found.name, to, expectedOf(found)),
    );
  }

  async #one(filter: SecretFilter, asked: string): Promise<SecretMetadata> {
    const start = this.#isNarrowed ? performance.now() : null;
    const [found, another] = await this.all({ ...filter, limit: 2 });
    if (found !== undefined && another === undefined) return found;
    if (start !== null) await untilNextStep(start);
    throw notFound(asked);
  }

  /** Looks and changes, again where somebody else was faster. */
  async #whileOthersChange(
    id: string,
    ifMatch: string | null,
    change: (found: SecretMetadata) => Promise<SecretMetadata>,
  ): Promise<SecretMetadata> {
    for (let attempt = 1; ; attempt++) {
      const found = await this.byId(id);
      checkMatch(ifMatch, found);
      try {
        return await change(found);
      } catch (error) {
        if (!hasCode(error, "VERSION_CONFLICT")) throw error;
        if (ifMatch !== null) throw preconditionFailed();
        if (attempt === ATTEMPTS) throw error;
      }
    }
  }
}

async function applyChange(secrets: SecretService, before: SecretMetadata, change: Change): Promise<SecretMetadata> {
  const { name = before.name, ...more } = change;
  if (name === before.name) return await changeContent(secrets, before, change);
  // At once with the name: no other order leaves nothing behind where the other half is refused.
  return await secrets.rename(before.name, name, expectedOf(before), more).catch(refuseTaken(name));
}

async function changeContent(secrets: SecretService, before: SecretMetadata, change: Change): Promise<SecretMetadata> {
  const { name, type } = before;
  const { value, fields, name: _, ...metadata } = change;
  const expected = expectedOf(before);
  const more = { ...metadata, keepExpiry: metadata.expiresAt === undefined };
  if (value !== undefined) return await secrets.setValue(name, value, more, expected);
  if (fields !== undefined) return await secrets.set({ ...more, name, type, fields }, { ...expected, keepType: true });
  const { tags, allowEmpty: __, ...edit } = metadata;
  if (Object.keys(metadata).length === 0) return before;
  const whole: SecretEdit = { ...edit, replacesFlags: true };
  return await secrets.edit(
    name,
    tags === undefined ? whole : { ...whole, addTags: tags, removeTags: before.tags },
    expected,
  );
}

function expectedOf({ id, revision }: SecretMetadata): IfStored {
  return { ifId: id, ifRevision: revision };
}

/** Waits for the end of the step that has begun, counted from the start. Other requests go on meanwhile. */
async function untilNextStep(start: number): Promise<void> {
  const end = start + Math.ceil((performance.now() - start) / STEP_MS) * STEP_MS;
  while (performance.now() < end) await setImmediate();
}

/** Checks that somebody could see what they are about to make. @throws AutokestraError `FORBIDDEN` */
export function checkReach(principal: Principal, name: string, tags: readonly string[]): void {
  if (!isVisible(principal, { name: name as SecretMetadata["name"], tags })) throw outOfReach();
}

/** The ETag of a secret: its revision. */
export function etagOf({ revision }: SecretMetadata): string {
  return `"${revision}"`;
}

/** Reads `If-Match` and `If-None-Match`. A weak tag is equal to none of ours. */
export function matches(header: string, metadata: SecretMetadata): boolean {
  return header.split(",").some((tag) => tag.trim() === "*" || tag.trim() === etagOf(metadata));
}

/** @param ifMatch null: whatever is there @throws AutokestraError `PRECONDITION_FAILED` */
export function checkMatch(ifMatch: string | null, metadata: SecretMetadata): void {
  if (ifMatch !== null && !matches(ifMatch, metadata)) throw preconditionFailed();
}

function notFound(asked: string): AutokestraError {
  return new AutokestraError("SECRET_NOT_FOUND", `Secret '${quoteText(asked)}' not found`);
}

/** That a name is taken must be said. The version and the id of what has it are not for everybody. */
export function refuseTaken(name: string): (error: unknown) => never {
  return (error) => {
    if (!hasCode(error, "SECRET_EXISTS")) throw error;
    throw new AutokestraError("SECRET_EXISTS", `Secret '${quoteText(name)}' already exists`);
  };
}

function fieldNotFound(field: string, name: string, fields: SecretFields): AutokestraError {
  const known = Object.keys(fields).map(quoteText).join(", ");
  const message = `Field '${quoteText(field)}' not found in secret '${name}' (fields: ${known})`;
  // Not the code of a field that a body names: here it is what is asked for.
  return new AutokestraError("NOT_FOUND", message);
}

export function preconditionFailed(): AutokestraError {
  return new AutokestraError("PRECONDITION_FAILED", "The secret has been changed: it has another revision");
}

function outOfReach(): AutokestraError {
  return forbidden("The token is narrowed to other names or tags");
}
