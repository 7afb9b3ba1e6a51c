import type { Masker } from "../masker.ts";

/**
 * Masks what a console of Node prints.
 *
 * @module
 */

/** A console as `node:console` has it: what its methods have formatted goes to these streams, each message in one piece. */
interface StreamConsole {
  _stdout: ConsoleStream;
  _stderr: ConsoleStream;
}

/** As much of a stream as a console needs of it. */
interface ConsoleStream {
  write(text: string, ...rest: never[]): boolean;
}

/**
 * From now on everything that the methods of this console print is masked after it was formatted: several arguments, tables,
 * groups, traces. Returns a function that takes that back.
 *
 * @param target a `Console` of Node, such as the global one
 * @throws TypeError where the console does not print to streams, as in browsers
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

/** The same stream, but for what is written to it. */
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
