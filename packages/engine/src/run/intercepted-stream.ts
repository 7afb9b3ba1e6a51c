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
  /** What writes masked bytes instead of the stream; undefined where the stream does. */
  readonly writer: () => ((bytes: Uint8Array) => void) | undefined;
  /** False where who calls `end` now may not close the stream. */
  readonly mayEnd: () => boolean;
}

type Callback = (error?: Error | null) => void;

/** Called with the stream as `this`. */
type Method = (this: unknown, ...args: never[]) => unknown;

type MethodName = "write" | "end";

const NEWLINE = 10;
const NOTHING = new Uint8Array();

/**
 * Puts masking before the `write` and `end` of a stream. `write` returns what the stream's own returns, and true where all is held
 * back; its callback is called once what can be written is, at once where that is nothing. While it is there, a reader that has gone
 * ends no process.
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

  /** True while nobody has put another `write` in its place. */
  get isInPlace(): boolean {
    return Object.is(Reflect.get(this.#stream, "write"), this.#ours);
  }

  /** True where nothing, or a line end, was written last. */
  get isAtLineStart(): boolean {
    return this.#last === NEWLINE;
  }

  /** Masks and writes. */
  write(bytes: Uint8Array, callback?: Callback): boolean {
    this.#masking ??= this.#interception.mask();
    this.#last = bytes.at(-1) ?? this.#last;
    return this.#writeOut(this.#masking.push(bytes), callback);
  }

  /** Writes what the masking holds back. */
  flush(): void {
    const rest = this.#masking?.flush();
    this.#masking = null;
    if (rest !== undefined) this.#writeOut(rest, undefined);
  }

  /** Puts the stream back as it was found. Where somebody has put his own `write` over ours, ours stays below it and does nothing. */
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
    // What no stream takes, it refuses itself.
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

/** Null for what no stream of bytes takes. */
function toBytes(chunk: unknown, encoding: unknown): Uint8Array | null {
  if (ArrayBuffer.isView(chunk)) return new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  if (typeof chunk !== "string") return null;
  if (typeof encoding !== "string") return Buffer.from(chunk);
  return Buffer.isEncoding(encoding) ? Buffer.from(chunk, encoding) : null;
}

/** Returns a function that takes it back, unless somebody else has replaced it since. */
function replaceMethod(target: object, name: MethodName, method: (...args: readonly unknown[]) => unknown): () => void {
  const before = Object.getOwnPropertyDescriptor(target, name);
  Object.defineProperty(target, name, { value: method, configurable: true, enumerable: true, writable: true });
  return () => {
    if (Object.getOwnPropertyDescriptor(target, name)?.value !== method) return;
    if (before === undefined) Reflect.deleteProperty(target, name);
    else Object.defineProperty(target, name, before);
  };
}
