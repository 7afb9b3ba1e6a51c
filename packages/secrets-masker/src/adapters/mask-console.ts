import type { Masker } from "../masker.ts";

/**
 * Masks what a Node.js console prints.
 *
 * @module
 */

/** A console of `node:console`, whose methods write each formatted message to one of these streams in one piece. */
interface StreamConsole {
  _stdout: ConsoleStream;
  _stderr: ConsoleStream;
}

/** The part of a stream that a console uses. */
interface ConsoleStream {
  write(text: string, ...rest: never[]): boolean;
}

/**
 * Masks everything that the methods of a console print: several arguments, tables, groups, traces. It masks the
 * formatted text, so a value is also found where two arguments meet. Use it for the output of code that you do not
 * control. It does not reach an attached debugger.
 *
 * @param target a Node.js `Console`, such as the global `console`
 * @returns a function that restores the console
 * @throws TypeError if the console does not print to streams, as in browsers
 *
 * @example
 * ```ts
 * import { createMasker } from "@autokestra/secrets-masker";
 * import { maskConsole } from "@autokestra/secrets-masker/console";
 *
 * const restore = maskConsole(console, createMasker(["s3cret-t0ken"]));
 * console.log("token:", "s3cret-t0ken"); // prints token: ***SECRET***
 * restore();
 * ```
 */
export function maskConsole(target: object, masker: Pick<Masker, "mask">): () => void {
  if (!hasStreams(target))
    throw new TypeError("Only a console of Node can be masked: this one does not print to streams");
  const { _stdout: stdout, _stderr: stderr } = target;
  Object.assign(target, { _stdout: maskWrites(stdout, masker), _stderr: maskWrites(stderr, masker) });
  return () => void Object.assign(target, { _stdout: stdout, _stderr: stderr });
}

function hasStreams(target: object): target is StreamConsole {
  const { _stdout: stdout, _stderr: stderr }: Partial<StreamConsole> = target;
  return typeof stdout?.write === "function" && typeof stderr?.write === "function";
}

/** Wraps a stream so that what is written to it is masked. */
function maskWrites<Stream extends ConsoleStream>(stream: Stream, masker: Pick<Masker, "mask">): Stream {
  const write = (text: string, ...rest: never[]) => stream.write(masker.mask(text), ...rest);
  return new Proxy(stream, {
    get(_, key) {
      if (key === "write") return write;
      const member: unknown = Reflect.get(stream, key);
      return typeof member === "function" ? member.bind(stream) : member;
    },
  });
}
