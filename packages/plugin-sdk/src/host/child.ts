/**
 * The program of a process with one plugin. An engine starts it with Node's permission model and an empty environment: it
 * reads orders from its standard input, and writes reports to a pipe of its own, so that the plugin has its standard
 * streams for itself.
 *
 * @module
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { writeSync } from "node:fs";
import { createInterface } from "node:readline";
import { setImmediate } from "node:timers/promises";
import { fileURLToPath, pathToFileURL } from "node:url";
import { z } from "zod";
import { invokeAction } from "../invoke-action.ts";
import type { Action, ActionContext, LogFunction, LogLevel, Plugin } from "../plugin.ts";
import { logDataText, outputText, UnreadableOutput } from "./json-text.ts";
import {
  type ActionDescription,
  type ContextData,
  MAX_LOG_BYTES,
  MAX_MESSAGE_BYTES,
  type Order,
  PROTOCOL_VERSION,
  REPORTS_FD,
  type Report,
} from "./protocol.ts";
import { readThrown } from "./read-thrown.ts";
import { textsToMask } from "./secret-texts.ts";

/** Before the first call there is only the loading of the module. */
const LOADING = 0;

interface Call {
  readonly id: number;
  readonly controller: AbortController;
  isRunning: boolean;
}

const calls = new AsyncLocalStorage<Call>();
let latest: Call = { id: LOADING, controller: new AbortController(), isRunning: true };
let plugin: Plugin | null = null;

/** Serves orders until the engine closes the standard input, or is killed: both end the process. */
export function serveOrders(): void {
  takeStream("stdout");
  takeStream("stderr");
  process.on("unhandledRejection", stray);
  process.on("uncaughtException", stray);
  const orders = createInterface({ input: process.stdin, crlfDelay: Number.POSITIVE_INFINITY });
  orders.on("line", (line) => {
    const order: Order = JSON.parse(line);
    void obey(order);
  });
  orders.on("close", () => process.exit(0));
}

async function obey(order: Order): Promise<void> {
  switch (order.kind) {
    case "load":
      return await load(order.entry, order.tasks);
    case "check":
      return await check(order.call, order.type, order.input);
    case "run":
      return await run(order.call, order.type, order.input, order.facts);
    case "abort": {
      const { name, message } = order.reason;
      if (latest.id === order.call) calls.run(latest, () => latest.controller.abort(new DOMException(message, name)));
    }
  }
}

/** Writes a report. A pipe that is full makes the plugin wait, so that nothing is lost where it ends the process. */
function send(report: Report): void {
  sendText(JSON.stringify(report));
}

function sendText(text: string): void {
  const bytes = Buffer.from(`${text}\n`);
  for (let written = 0; written < bytes.length; ) written += writeSync(REPORTS_FD, bytes, written);
}

async function load(entry: string, tasks: Extract<Order, { kind: "load" }>["tasks"]): Promise<void> {
  let found: unknown;
  try {
    const module: Record<string, unknown> = await import(pathToFileURL(entry).href);
    found = module["plugin"] ?? module["default"];
  } catch (error) {
    const { name = "Error", code, message = "" } = readThrown(error);
    return send({ kind: "refused", why: `its module fails: ${[code ?? name, message].join(": ")}` });
  }
  if (!isPlugin(found)) {
    return send({ kind: "refused", why: "its module does not export what definePlugin returns as `plugin`" });
  }
  plugin = found;
  latest.isRunning = false;
  send({
    kind: "loaded",
    protocol: PROTOCOL_VERSION,
    name: found.name,
    actions: [...found.actions].map(([type, action]) => describe(type, action)),
    textInputs: tasks.map(([type, inputs]) => {
      const { textInputs = [] } = found.actions.get(type) ?? {};
      return [...(typeof textInputs === "function" ? textInputs(inputs) : textInputs)];
    }),
  });
}

function isPlugin(value: unknown): value is Plugin {
  if (typeof value !== "object" || value === null) return false;
  const { name, actions }: { name?: unknown; actions?: unknown } = value;
  return typeof name === "string" && actions instanceof Map;
}

function describe(type: string, action: Action): ActionDescription {
  const { description, textInputs, shownInputs, literalInputs, secretOutputs } = action;
  return {
    type,
    input: inputSchemaOf(action),
    decidesSecretOutputs: action.isSecretOutput !== undefined,
    ...(description !== undefined && { description }),
    ...(textInputs !== undefined && typeof textInputs !== "function" && { textInputs: [...textInputs] }),
    ...(shownInputs && { shownInputs: [...shownInputs] }),
    ...(literalInputs && { literalInputs: [...literalInputs] }),
    ...(secretOutputs && { secretOutputs: [...secretOutputs] }),
  };
}

function inputSchemaOf({ input }: Action): Record<string, unknown> | null {
  try {
    return { ...z.toJSONSchema(input, { io: "input", unrepresentable: "any" }) };
  } catch {
    return null;
  }
}

/** Empty if the check throws: that says more about the action than about the inputs. */
async function check(call: number, type: string, value: unknown): Promise<void> {
  const issues = await plugin?.actions
    .get(type)
    ?.input.safeParseAsync(value, { reportInput: true })
    .then(
      ({ error }) => error?.issues,
      () => [],
    );
  sendText(`{"kind":"checked","call":${call},"issues":${logDataText(issues ?? [])}}`);
}

async function run(id: number, type: string, input: unknown, facts: ContextData): Promise<void> {
  const call: Call = { id, controller: new AbortController(), isRunning: true };
  latest = call;
  try {
    const action = plugin?.actions.get(type);
    if (action === undefined) throw new TypeError(`The plugin has no action '${type}'`);
    const output = await calls.run(
      call,
      async () => await settle(async () => await invokeAction(action, input, contextOf(call, facts))),
    );
    const text = outputText(output);
    const tail = text === undefined ? "}" : `,"output":${text}}`;
    const report = `{"kind":"done","call":${id}${tail}`;
    if (Buffer.byteLength(report) >= MAX_MESSAGE_BYTES) throw new UnreadableOutput("it is larger than 16 MiB as JSON");
    call.isRunning = false;
    sendText(report);
  } catch (error) {
    call.isRunning = false;
    send({ kind: "thrown", call: id, thrown: readThrown(error) });
  }
}

/** Settles one turn after the work, so that unhandled rejections are reported before. */
async function settle<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } finally {
    await setImmediate();
  }
}

function contextOf({ id: call, controller }: Call, facts: ContextData): ActionContext {
  const at =
    (level: LogLevel): LogFunction =>
    (message, data) =>
      log(call, level, message, data);
  return {
    ...facts,
    log: { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") },
    signal: controller.signal,
    mask(value, name) {
      send({ kind: "mask", call, texts: textsToMask(value, name), ...(name !== undefined && { name }) });
    },
    print: (stream, bytes) => print(call, stream, bytes),
  };
}

function log(call: number, level: LogLevel, message: unknown, data: unknown): void {
  const head = JSON.stringify({ kind: "log", call, level, message: toText(message) });
  const json = logDataText(data);
  const text = json === undefined ? head : `${head.slice(0, -1)},"data":${json}}`;
  const length = Buffer.byteLength(text);
  // Not cut: half of a secret is not found by a masker.
  if (length <= MAX_LOG_BYTES) sendText(text);
  else send({ kind: "log", call, level, message: `[a log line of ${length} bytes is left out]` });
}

function toText(value: unknown): string {
  try {
    return String(value);
  } catch {
    return "[unreadable]";
  }
}

function print(call: number, stream: "stdout" | "stderr", bytes: Uint8Array): void {
  // Base64 takes four bytes for three.
  for (let at = 0; at < bytes.length; at += MAX_LOG_BYTES / 2) {
    const part = bytes.subarray(at, at + MAX_LOG_BYTES / 2);
    send({ kind: "print", call, stream, base64: Buffer.from(part).toString("base64") });
  }
}

/** Sends what is printed, with the task that printed it. Output that bypasses this is read from the stream itself. */
function takeStream(name: "stdout" | "stderr"): void {
  Object.assign(process[name], {
    write(chunk: string | Uint8Array, encoding?: BufferEncoding | (() => void), done?: () => void): boolean {
      const bytes =
        typeof chunk === "string" ? Buffer.from(chunk, typeof encoding === "string" ? encoding : "utf8") : chunk;
      print((calls.getStore() ?? latest).id, name, bytes);
      const callback = typeof encoding === "function" ? encoding : done;
      if (callback !== undefined) process.nextTick(callback);
      return true;
    },
  });
}

function stray(thrown: unknown): void {
  const { id } = calls.getStore() ?? latest;
  if (id === LOADING)
    send({ kind: "refused", why: `its module fails: ${readThrown(thrown).message ?? "unknown error"}` });
  else send({ kind: "stray", call: id, thrown: readThrown(thrown) });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) serveOrders();
