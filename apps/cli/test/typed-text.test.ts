import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { TypedText } from "../src/input/typed-text.ts";

function typed(...chunks: string[]): TypedText {
  const text = new TypedText();
  for (const chunk of chunks) text.feed(chunk);
  return text;
}

const PEM = `-----BEGIN KEY-----\n${"abcd\n".repeat(28)}-----END KEY-----`;

describe("K8: what is typed at a prompt", () => {
  it.each<[string, readonly string[], string]>([
    ["single keys", ["a", "b", "\r"], "ab"],
    ["a tab", ["a\tb\r"], "a\tb"],
    ["spaces at the ends", [" a ", "\r"], " a "],
    ["backspace", ["abc", "\u007f", "\b", "\r"], "a"],
    ["backspace on a wide character, an emoji, a combined letter", ["a漢👩‍🚀e\u0301", "\u007f\u007f\u007f", "\r"], "a"],
    ["backspace on nothing", ["\u007f", "a\r"], "a"],
    ["Ctrl-U", ["abc", "\u0015", "d\r"], "d"],
    ["Ctrl-W", ["one two  ", "\u0017", "x\r"], "one x"],
    ["arrows and function keys", ["a\u001b[D\u001b[1;5C\u001bOPb\u001b[3~\r"], "ab"],
    ["a key that comes in two parts", ["a\u001b", "[", "Db\r"], "ab"],
    ["Escape and a letter", ["a\u001bb\r"], "ab"],
    ["other control keys", ["a\u001a\u0001\u000cb\r"], "ab"],
    ["a paste that is marked", ["\u001b[200~a\tb\u001b[201~", "\r"], "a\tb"],
    ["a marked paste whose marks come in parts", ["\u001b[20", "0~a\u001b[2", "01~", "\r"], "a"],
    ["a marked paste with a line break at its end", ["\u001b[200~token\r\u001b[201~", "\r"], "token"],
    ["an empty line", ["\r"], ""],
  ])("%s", (_, chunks, value) => {
    const text = typed(...chunks);
    expect({ value: text.value, isFinished: text.settle() }).toEqual({ value, isFinished: true });
  });

  it.each<[string, readonly string[]]>([
    ["marked", [`\u001b[200~${PEM.replaceAll("\n", "\r")}\u001b[201~`]],
    ["not marked", [PEM.replaceAll("\n", "\r")]],
    ["with line feeds", [PEM]],
    ["with both", [PEM.replaceAll("\n", "\r\n")]],
    ["with a line break at its end", [`${PEM}\n`]],
    ["key by key", PEM.split("")],
    ["with both, cut between them", PEM.replaceAll("\n", "\r\n").split(/(?=\n)/)],
  ])("takes a paste of 30 lines whole: %s", (_, chunks) => {
    const text = typed(...chunks);
    expect({ value: text.value, hasLines: text.hasLines, isFinished: text.settle() }).toEqual({
      value: PEM,
      hasLines: true,
      isFinished: true,
    });
  });

  it("does not take the first lines of a key for the whole, however slowly the rest comes", () => {
    const text = typed("-----BEGIN KEY-----\r", "abc\r");
    expect(text.settle()).toBe(false);
    text.feed("-----END KEY-----\r");
    expect(text.settle()).toBe(true);
  });

  it.each(["\u0003", "\u0004", "\u001c"])("KP6: is interrupted by %j, also within a paste that does not end", (key) => {
    expect(typed("abc", key).isInterrupted).toBe(true);
    expect(typed(`ab${key}c`).isInterrupted).toBe(true);
    if (key !== "\u001c") expect(typed("\u001b[200~abc", key).isInterrupted).toBe(true);
  });

  it("brings back any pasted text, wherever reads cut it", () => {
    const pasted = fc.string({ unit: "grapheme" }).filter((text) => !/[\r\n]$/.test(text) && !text.includes("\u001b"));
    fc.assert(
      fc.property(pasted, fc.array(fc.nat(40)), (text, cuts) => {
        const sent = `\u001b[200~${text}\u001b[201~`;
        const at = [0, ...cuts.map((cut) => cut % (sent.length + 1)).sort((a, b) => a - b), sent.length];
        const chunks = at.slice(1).map((end, index) => sent.slice(at[index], end));
        fc.pre(!chunks.some((chunk) => chunk === "\u0003" || chunk === "\u0004"));
        expect(typed(...chunks, "\r").value).toBe(text.replace(/\r\n?/g, "\n"));
      }),
    );
  });

  it("brings back any lines that come together, wherever reads cut them, or says that they are lines", () => {
    const line = fc.string({ unit: "grapheme-ascii" });
    fc.assert(
      fc.property(fc.array(line, { minLength: 1 }), fc.constantFrom("\r", "\n", "\r\n"), (lines, end) => {
        const text = typed(...`${lines.join(end)}${end}`.split(""));
        expect(text.value).toBe(lines.join("\n").replace(/\n$/, ""));
      }),
    );
  });
});
