import { AutokestraError, type SecretMetadata, type SecretService, type SecretSource } from "@autokestra/secrets-core";
import { isIdentifier } from "@autokestra/secrets-core/internal";
import type { AuditAction, AuditActor, AuditEvent, AuditedSecret, AuditOutcome } from "./audit-event.ts";
import type { StoreAuditLog } from "./audit-log.ts";

/** Who does what is recorded, and in what. */
export interface AuditContext {
  readonly actor: AuditActor;
  /** The id of the request. Default: none. */
  readonly requestId?: string | undefined;
  /** The id of the run. Default: none. */
  readonly execution?: string | undefined;
}

/**
 * The same secrets, with a record of every value that is read and of every change. A value is given out only once its record is on
 * the disk; a change is made only once its intent is. Lists and metadata are not recorded, and need no log.
 */
export function createAuditedService(secrets: SecretService, log: StoreAuditLog, context: AuditContext): SecretService {
  const recorder = createRecorder(log, context);
  return {
    list: async (filter) => await secrets.list(filter),
    listVerified: async (filter) => await secrets.listVerified(filter),
    count: async (filter) => await secrets.count(filter),
    find: async (name) => await secrets.find(name),
    versions: async (name) => await secrets.versions(name),
    ...createReads(secrets, recorder),
    ...createChanges(secrets, recorder),
    async close() {
      try {
        await log.close();
      } finally {
        await secrets.close();
      }
    },
  };
}

function createReads(secrets: SecretService, recorder: AuditRecorder): Pick<SecretService, "get" | "describe"> {
  return {
    get: async (name, options) =>
      await recorder.read(
        "read",
        nameOnly(name),
        async () => await secrets.get(name, options),
        ({ metadata, fields }) => ({
          ...identityOf(metadata),
          fields: Object.keys(fields).filter((field) => options?.fields?.includes(field) ?? true),
        }),
      ),
    describe: async (name) =>
      await recorder.read(
        "describe",
        nameOnly(name),
        async () => await secrets.describe(name),
        ({ metadata, publicFields }) => ({ ...identityOf(metadata), fields: Object.keys(publicFields) }),
      ),
  };
}

type Changes =
  | "create"
  | "update"
  | "set"
  | "setValue"
  | "setAll"
  | "rollback"
  | "edit"
  | "rename"
  | "restore"
  | "delete";

function createChanges(secrets: SecretService, recorder: AuditRecorder): Pick<SecretService, Changes> {
  /** What a record says of a secret by its name, before it is changed. */
  async function identify(name: string): Promise<AuditedSecret> {
    if (!isIdentifier(name)) return { name: null };
    // Where it cannot be read, the change itself says why.
    const found = await secrets.find(name).catch(() => null);
    return found === null ? { name } : identityOf(found);
  }

  async function change(
    action: AuditAction,
    name: string,
    work: () => Promise<SecretMetadata>,
  ): Promise<SecretMetadata> {
    const before = await identify(name);
    return await recorder.change(action, [before], work, (after) => [identityOf(after)]);
  }

  return {
    create: async (input) => await change("create", input.name, async () => await secrets.create(input)),
    update: async (input, ifVersion) =>
      await change("update", input.name, async () => await secrets.update(input, ifVersion)),
    set: async (input, options) => await change("set", input.name, async () => await secrets.set(input, options)),
    setValue: async (name, value, more, options) =>
      await change("set", name, async () => await secrets.setValue(name, value, more, options)),
    setAll: async (inputs) =>
      await recorder.change(
        "import",
        inputs.map(({ name }) => nameOnly(name)),
        async () => await secrets.setAll(inputs),
        (written) => written.map(identityOf),
      ),
    rollback: async (name, toVersion, options) =>
      await change("rollback", name, async () => await secrets.rollback(name, toVersion, options)),
    edit: async (name, edit, options) =>
      await change("edit", name, async () => await secrets.edit(name, edit, options)),
    rename: async (from, to, options, more) =>
      await change("rename", from, async () => await secrets.rename(from, to, options, more)),
    restore: async (name, options) => await change("restore", name, async () => await secrets.restore(name, options)),
    async delete(name, options) {
      const before = await identify(name);
      const action = options?.purge === true ? "purge" : "delete";
      return await recorder.change(
        action,
        [before],
        async () => await secrets.delete(name, options),
        () => [before],
      );
    },
  };
}

/**
 * The same source for one run: every secret that it resolves is recorded before the run has its value, and so is that it could not
 * answer. A name that it does not have is not recorded.
 */
export function createAuditedSource(source: SecretSource, log: StoreAuditLog, context: AuditContext): SecretSource {
  type Answer = Awaited<ReturnType<SecretSource["lookup"]>>;

  async function recorded(name: string, answer: Answer): Promise<Answer> {
    const event = { ...context, action: "run.resolve", source: source.id } as const;
    if (answer.status === "found") {
      const { fields, version } = answer.secret;
      const secret = { name, version, fields: Object.keys(fields) };
      await log.record({ ...event, secret, outcome: "done" });
    } else if (answer.status !== "notFound") {
      const outcome = answer.status === "denied" ? "refused" : "SOURCE_FAILED";
      await log.record({ ...event, secret: { name }, outcome });
    }
    return answer;
  }

  const { leases } = source;
  return {
    ...source,
    lookup: async (name, options) => await recorded(name, await source.lookup(name, options)),
    leases: leases && {
      ...leases,
      open(seconds, onEvent) {
        const run = leases.open(seconds, onEvent);
        return {
          create: async (name, binding, signal) => await recorded(name, await run.create(name, binding, signal)),
          close: async (signal) => await run.close(signal),
        };
      },
    },
  };
}

/** Records what one caller does. */
interface AuditRecorder {
  /** @param tell what the record says of what was read */
  read<T>(
    action: AuditAction,
    asked: AuditedSecret,
    work: () => Promise<T>,
    tell: (result: T) => AuditedSecret,
  ): Promise<T>;
  /**
   * @param before what the intents say, one record each
   * @param tell what the outcomes say
   */
  change<T>(
    action: AuditAction,
    before: readonly (AuditedSecret | null)[],
    work: () => Promise<T>,
    tell: (result: T) => readonly (AuditedSecret | null)[],
  ): Promise<T>;
}

function createRecorder(log: StoreAuditLog, context: AuditContext): AuditRecorder {
  const event = (action: AuditAction, outcome: AuditOutcome, secret: AuditedSecret | null): AuditEvent => ({
    ...context,
    action,
    outcome,
    secret,
    source: secret === null ? null : "store",
  });

  /** Where the failure cannot be recorded either, the caller still hears of the first one: nothing was given out. */
  async function fail(action: AuditAction, secrets: readonly (AuditedSecret | null)[], error: unknown): Promise<void> {
    const code = error instanceof AutokestraError ? error.code : "failed";
    await log.record(...secrets.map((secret) => event(action, code, secret))).catch(() => undefined);
  }

  return {
    async read(action, asked, work, tell) {
      let result: Awaited<ReturnType<typeof work>>;
      try {
        result = await work();
      } catch (error) {
        await fail(action, [asked], error);
        throw error;
      }
      await log.record(event(action, "done", tell(result)));
      return result;
    },
    async change(action, before, work, tell) {
      await log.record(...before.map((secret) => event(action, "intent", secret)));
      let result: Awaited<ReturnType<typeof work>>;
      try {
        result = await work();
      } catch (error) {
        await fail(action, before, error);
        throw error;
      }
      await recordOutcome(async () => await log.record(...tell(result).map((secret) => event(action, "done", secret))));
      return result;
    },
  };
}

/** The change is made by now, and the error must say so. */
async function recordOutcome(record: () => Promise<void>): Promise<void> {
  try {
    await record();
  } catch (error) {
    if (!(error instanceof AutokestraError)) throw error;
    throw new AutokestraError(error.code, error.message, {
      hint: `The change was made; the log has its intent, but not its outcome. ${error.hint ?? ""}`.trimEnd(),
      details: error.details,
    });
  }
}

/** An invalid name may be a value that was given instead of a name. */
function nameOnly(name: string): AuditedSecret {
  return { name: isIdentifier(name) ? name : null };
}

function identityOf({ name, id, version }: SecretMetadata): AuditedSecret {
  return { name, id, version };
}
