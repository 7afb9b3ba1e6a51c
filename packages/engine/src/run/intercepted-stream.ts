import type { MaskStream } from "@autokestra/secrets-masker";

/** What happens to bytes: they are masked and written, written as they are, or somebody has taken them. */
export type Route = "masked" | "as it is" | "taken";

/** How what is written to a stream is masked. */
export interface Interception {
  /** Opens the masking of a stream. */
  readonly mask: () => MaskStream;
  /**
   * Is asked before bytes are masked.
   *
   * @param bytes the writer's own: who takes them copies them
   * @param show masks and writes bytes, now or later
   */
  readonly route: (bytes: Uint8Array, show: (bytes: Uint8Array) => void) => Route;
}

/** A stream whose `write` and `end` are ours. */
export interface InterceptedStream {
  /** True while nobody has put another `write` over it. */
  readonly isInPlace: boolean;
  /** True where nothing, or a line end, was written last. */
  readonly isAtLineStart: boolean;
  /** Masks and writes. */
  write(bytes: Uint8Array): void;
  /** Writes what the masking holds back. */
  flush(): void;
  /** Puts the stream back as it was found. Where somebody has put his own `write` over ours, ours stays below it and does nothing. */
  restore(): void;
}

type Callback = (error?: Error | null) => void;

/** Called with the stream as `this`. */
type Method<Result> = (this: unknown, ...args: never[]) => Result;

const NEWLINE = 10;
const NOTHING = new Uint8Array();

/**
 * Puts masking before the `write` of a stream. `write` returns what the stream's own returns, and true where all is held back; its
 * callback is called once what could be written is, at once where that is nothing. `end` writes and leaves the stream open: it is not
 * the plugin's to close.
 */
export function interceptStream(stream: NodeJS.WritableStream, { mask, route }: Interception): InterceptedStream {
  const originalWrite: Method<boolean> = Reflect.get(stream, "write");
  const originalEnd: Method<unknown> = Reflect.get(stream, "end");
  let masking: MaskStream | null = null;
  let last = NEWLINE;
  let isActive = true;

  function writeOriginal(bytes: Uint8Array, callback: Callback | undefined): boolean {
    if (bytes.length > 0) return Reflect.apply(originalWrite, stream, [bytes, callback]);
    if (callback !== undefined) process.nextTick(callback);
    return !("writableNeedDrain" in stream && stream.writableNeedDrain === true);
  }

  function writeMasked(bytes: Uint8Array, callback?: Callback): boolean {
    masking ??= mask();
    last = bytes.at(-1) ?? last;
    return writeOriginal(masking.push(bytes), callback);
  }

  function write(...args: readonly unknown[]): boolean {
    const [chunk, encoding] = args;
    const bytes = isActive ? toBytes(chunk, encoding) : null;
    const how = bytes === null ? "as it is" : route(bytes, writeMasked);
    // What no stream takes, it refuses itself.
    if (bytes === null || how === "as it is") return Reflect.apply(originalWrite, stream, args);
    const callback = args.find(isCallback);
    return how === "taken" ? writeOriginal(NOTHING, callback) : writeMasked(bytes, callback);
  }

  function end(...args: readonly unknown[]): unknown {
    if (!isActive) return Reflect.apply(originalEnd, stream, args);
    const [chunk] = args;
    if (chunk === undefined || chunk === null || isCallback(chunk)) writeOriginal(NOTHING, args.find(isCallback));
    else write(...args);
    return stream;
  }

  // A reader that has gone is no reason to end a run.
  const ignore = () => undefined;
  stream.on("error", ignore);
  const restores = [
    replaceMethod(stream, "write", write),
    replaceMethod(stream, "end", end),
    () => stream.off("error", ignore),
  ];
  return {
    get isInPlace() {
      return stream.write === write;
    },
    get isAtLineStart() {
      return last === NEWLINE;
    },
    write: (bytes) => void writeMasked(bytes),
    flush() {
      const rest = masking?.flush();
      masking = null;
      if (rest !== undefined) writeOriginal(rest, undefined);
    },
    restore() {
      isActive = false;
      for (const restore of restores) restore();
    },
  };
}

function isCallback(argument: unknown): argument is Callback {
  return typeof argument === "function";
}

/** Null for what no stream of bytes takes. */
function toBytes(chunk: unknown, encoding: unknown): Uint8Array | null {
  if (ArrayBuffer.isView(chunk)) return new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  if (typeof chunk !== "string") return null;
  if (typeof encoding !== "string") return Buffer.from(chunk);
  return Buffer.isEncoding(encoding) ? Buffer.from(chunk, encoding) : null;
}

/** Returns a function that takes it back, unless somebody else has replaced it since. */
function replaceMethod(
  target: object,
  name: "write" | "end",
  method: (...args: readonly unknown[]) => unknown,
): () => void {
  const before = Object.getOwnPropertyDescriptor(target, name);
  Object.defineProperty(target, name, { value: method, configurable: true, enumerable: true, writable: true });
  return () => {
    if (Object.getOwnPropertyDescriptor(target, name)?.value !== method) return;
    if (before === undefined) Reflect.deleteProperty(target, name);
    else Object.defineProperty(target, name, before);
  };
}
