import { readdir, stat, watch } from "node:fs/promises";
import { join } from "node:path";
import { loadWorkflow, type ParsedWorkflow, WorkflowError } from "@autokestra/engine";
import { isWorkflowFile } from "@autokestra/engine/internal";
import { hasCode } from "@autokestra/secrets-core";

/** A file of the folder. */
export interface WorkflowFile {
  /** Its name in the folder. */
  readonly file: string;
  /** The last version that could be read; null where there was none. */
  readonly parsed: ParsedWorkflow | null;
  /** What is wrong with the file as it is now, with places; null if nothing is. */
  readonly problem: string | null;
}

/** The workflows of a folder, as they are now. */
export interface WorkflowFolder {
  /** All files, by their names. */
  files(): readonly WorkflowFile[];
  /** Null where no file that can be read has, or had, this id. */
  get(id: string): ParsedWorkflow | null;
  /** Reads what has changed. It happens by itself, too. */
  refresh(): Promise<void>;
  close(): void;
}

export interface WorkflowFolderOptions {
  readonly folder: string;
  /** Called with the problem of a file that has changed: its previous version stays. */
  readonly onProblem: (file: string, problem: string) => void;
  /** Called when something has changed since the folder was opened. */
  readonly onChange: () => void;
}

interface KnownFile extends WorkflowFile {
  /** Changes with the file. */
  readonly mark: string;
}

/** A change comes in several steps. */
const SETTLE_MS = 100;

/** Network file systems report no changes. */
const LOOK_MS = 10_000;

/**
 * Reads the workflows of a folder, and again what changes there. Files in its subfolders are for `core/workflow.call`. Of two files with
 * one id, the first one by name has it.
 *
 * @throws what `readdir` throws, where there is no such folder
 */
export async function openWorkflowFolder(options: WorkflowFolderOptions): Promise<WorkflowFolder> {
  const folder = new WatchedFolder(options);
  await folder.refresh();
  folder.watch();
  return folder;
}

class WatchedFolder implements WorkflowFolder {
  readonly #options: WorkflowFolderOptions;
  readonly #closing = new AbortController();
  #known: ReadonlyMap<string, KnownFile> = new Map();
  #reading = Promise.resolve();
  #isWatched = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: WorkflowFolderOptions) {
    this.#options = options;
  }

  /** From now on, `onChange` is called. */
  watch(): void {
    this.#isWatched = true;
    void this.#watchFiles();
    this.#refreshIn(LOOK_MS);
  }

  files(): readonly WorkflowFile[] {
    return [...this.#known.values()];
  }

  get(id: string): ParsedWorkflow | null {
    return this.files().find(({ parsed }) => parsed?.workflow.id === id)?.parsed ?? null;
  }

  async refresh(): Promise<void> {
    const read = async () => await this.#readAll();
    this.#reading = this.#reading.then(read, read);
    await this.#reading;
  }

  close(): void {
    this.#closing.abort();
    clearTimeout(this.#timer);
  }

  async #readAll(): Promise<void> {
    const { folder, onProblem, onChange } = this.#options;
    const names = (await readdir(folder)).filter(isWorkflowFile).sort();
    const before = this.#known;
    const files: KnownFile[] = [];
    for (const name of names) files.push(await readFile(join(folder, name), name, before.get(name)));
    const read = withUniqueIds(files);
    this.#known = new Map(read.map((file) => [file.file, file]));
    const changed = read.filter(
      ({ file, mark, problem }) => before.get(file)?.mark !== mark || before.get(file)?.problem !== problem,
    );
    for (const { file, problem } of changed) if (problem !== null) onProblem(file, problem);
    if (this.#isWatched && (changed.length > 0 || before.size !== read.length)) onChange();
  }

  #refreshIn(ms: number): void {
    clearTimeout(this.#timer);
    if (this.#closing.signal.aborted) return;
    // A folder that is gone for a moment changes nothing: workflows stay as they were.
    const refresh = async () => {
      await this.refresh().catch(() => undefined);
      this.#refreshIn(LOOK_MS);
    };
    this.#timer = setTimeout(() => void refresh(), ms).unref();
  }

  async #watchFiles(): Promise<void> {
    const { folder } = this.#options;
    try {
      for await (const _ of watch(folder, { signal: this.#closing.signal, persistent: false })) {
        this.#refreshIn(SETTLE_MS);
      }
    } catch {
      // It is closed, or cannot be watched: it is looked at now and then.
    }
  }
}

/** Of two files with one id, the second one has none. */
function withUniqueIds(files: readonly KnownFile[]): readonly KnownFile[] {
  const owners = new Map<string, string>();
  return files.map((file) => {
    const id = file.parsed?.workflow.id;
    const owner = id === undefined ? undefined : owners.get(id);
    if (owner !== undefined) return { ...file, parsed: null, problem: `its id '${id}' is that of ${owner}` };
    if (id !== undefined) owners.set(id, file.file);
    return file;
  });
}

/** What has not changed is not read again. What cannot be read keeps the version before. */
async function readFile(path: string, file: string, before: KnownFile | undefined): Promise<KnownFile> {
  const mark = await markOf(path);
  if (before !== undefined && before.mark === mark && before.problem === null) return before;
  try {
    return { file, parsed: await loadWorkflow(path), problem: null, mark };
  } catch (error) {
    return { file, parsed: before?.parsed ?? null, problem: problemOf(error, file), mark };
  }
}

async function markOf(path: string): Promise<string> {
  try {
    const { ino, size, mtimeMs } = await stat(path);
    return `${ino} ${size} ${mtimeMs}`;
  } catch {
    return "none";
  }
}

/** With the places of the file, and without its lines: more people read the log of a server than its workflows. */
function problemOf(error: unknown, file: string): string {
  if (error instanceof WorkflowError) return error.formatPlaces(file);
  return hasCode(error, "WORKFLOW_NOT_FOUND", "WORKFLOW_INVALID") ? error.message : "it cannot be read";
}
