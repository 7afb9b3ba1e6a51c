import type { MaskStream } from "@autokestra/secrets-masker";

/** What happens to written bytes: they are masked, written as they are, or were taken by the router. */
export type Route = "masked" | "as it is" | "taken";

/** How a stream is intercepted. */
export interface Interception {
  /** Opens a masking stream. */
  readonly mask: () => MaskStream;
  /**
   * Decides about bytes before they are masked.
   *
   * @param bytes belong to the writer and must be copied if they are kept
   * @param show masks and writes bytes, now or later
   */
  readonly route: (bytes: Uint8Array, show: (bytes: Uint8Array) => void) => Route;
  /** Writes masked bytes instead of the stream; undefined if the stream writes them. */
  readonly writer: () => ((bytes: Uint8Array) => void) | undefined;
  /** False if the current caller of `end` must not close the stream. */
  readonly mayEnd: () => boolean;
}

type Callback = (error?: Error | null) => void;

/** Called with the stream as `this`. */
type Method = (this: unknown, ...args: never[]) => unknown;

type MethodName = "write" | "end";

const NEWLINE = 10;
const NOTHING = new Uint8Array();

/**
 * Masks what is written to a stream by replacing its `write` and `end`. `write` returns what the original returns, or
 * true if all bytes are held back. Its callback is called when everything that can be written is written. While the
 * stream is intercepted, a closed pipe does not end the process.
 */
export class InterceptedStream {
  readonly #stream: NodeJS.WritableStream;
  readonly #interception: Interception;
  readonly #write: Method;
  readonly #end: Method;
  readonly #restores: readonly (() => void)[];
  #masking: MaskStream | null = null;
  #last = NEWLINE;
  #isActive = true;
  readonly #ours = (...args: readonly unknown[]): unknown => this.#handleWrite(args);

  constructor(stream: NodeJS.WritableStream, interception: Interception) {
    this.#stream = stream;
    this.#interception = interception;
    this.#write = Reflect.get(stream, "write");
    this.#end = Reflect.get(stream, "end");
    const ignore = () => undefined;
    stream.on("error", ignore);
    this.#restores = [
      replaceMethod(stream, "write", this.#ours),
      replaceMethod(stream, "end", (...args) => this.#handleEnd(args)),
      () => stream.off("error", ignore),
    ];
  }

  /** False if other code has replaced `write` since. */
  get isInPlace(): boolean {
    return Object.is(Reflect.get(this.#stream, "write"), this.#ours);
  }

  /** True if nothing or a line end was written last. */
  get isAtLineStart(): boolean {
    return this.#last === NEWLINE;
  }

  /** Masks and writes bytes. */
  write(bytes: Uint8Array, callback?: Callback): boolean {
    this.#masking ??= this.#interception.mask();
    this.#last = bytes.at(-1) ?? this.#last;
    return this.#writeOut(this.#masking.push(bytes), callback);
  }

  /** Writes what the masking stream holds back. */
  flush(): void {
    const rest = this.#masking?.flush();
    this.#masking = null;
    if (rest !== undefined) this.#writeOut(rest, undefined);
  }

  /** Restores the stream. If other code has wrapped our `write`, ours stays below it and passes everything through. */
  restore(): void {
    this.#isActive = false;
    for (const restore of this.#restores) restore();
  }

  #writeOut(bytes: Uint8Array, callback: Callback | undefined): boolean {
    const stream = this.#stream;
    const writer = bytes.length > 0 ? this.#interception.writer() : undefined;
    if (bytes.length > 0 && writer === undefined) return Reflect.apply(this.#write, stream, [bytes, callback]) === true;
    writer?.(bytes);
    if (callback !== undefined) process.nextTick(callback);
    return !("writableNeedDrain" in stream && stream.writableNeedDrain === true);
  }

  #handleWrite(args: readonly unknown[]): unknown {
    const [chunk, encoding] = args;
    const bytes = this.#isActive ? toBytes(chunk, encoding) : null;
    const show = (shown: Uint8Array) => void this.write(shown);
    const route = bytes === null ? "as it is" : this.#interception.route(bytes, show);
    // Values that are not bytes go to the stream, which refuses them itself.
    if (bytes === null || route === "as it is") return Reflect.apply(this.#write, this.#stream, args);
    const callback = args.find(isCallback);
    return route === "taken" ? this.#writeOut(NOTHING, callback) : this.write(bytes, callback);
  }

  #handleEnd(args: readonly unknown[]): unknown {
    if (!this.#isActive) return Reflect.apply(this.#end, this.#stream, args);
    const [chunk] = args;
    const callback = args.find(isCallback);
    const mayEnd = this.#interception.mayEnd();
    if (chunk !== undefined && chunk !== null && !isCallback(chunk)) {
      this.#handleWrite(args.filter((argument) => !mayEnd || !isCallback(argument)));
    } else if (!mayEnd) this.#writeOut(NOTHING, callback);
    if (!mayEnd) return this.#stream;
    this.flush();
    return Reflect.apply(this.#end, this.#stream, [callback]);
  }
}

function isCallback(argument: unknown): argument is Callback {
  return typeof argument === "function";
}

/** Null for values that a stream of bytes does not accept. */
function toBytes(chunk: unknown, encoding: unknown): Uint8Array | null {
  if (ArrayBuffer.isView(chunk)) return new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  if (typeof chunk !== "string") return null;
  if (typeof encoding !== "string") return Buffer.from(chunk);
  return Buffer.isEncoding(encoding) ? Buffer.from(chunk, encoding) : null;
}

/** Returns a function that restores the method, unless other code has replaced it since. */
function replaceMethod(target: object, name: MethodName, method: (...args: readonly unknown[]) => unknown): () => void {
  const before = Object.getOwnPropertyDescriptor(target, name);
  Object.defineProperty(target, name, { value: method, configurable: true, enumerable: true, writable: true });
  return () => {
    if (Object.getOwnPropertyDescriptor(target, name)?.value !== method) return;
    if (before === undefined) Reflect.deleteProperty(target, name);
    else Object.defineProperty(target, name, before);
  };
}
