import type { Literal, Reference } from "@autokestra/secrets-core";
import { parseReference, quoteText, readLiteral } from "@autokestra/secrets-core/internal";

/** A value in a condition: written there, or taken from the run. */
export type Operand =
  | { readonly kind: "literal"; readonly value: Literal | null }
  | {
      readonly kind: "reference";
      readonly reference: Reference;
      /** What stands for a path that is not there, or null; null without a `??`. */
      readonly fallback: { readonly value: Literal | null } | null;
      /** The offset of the reference in the condition. */
      readonly start: number;
    };

/** The tree of an `if`. */
export type Condition =
  | { readonly kind: "or" | "and"; readonly left: Condition; readonly right: Condition }
  | { readonly kind: "not"; readonly condition: Condition }
  | { readonly kind: "compare"; readonly operator: Operator; readonly left: Operand; readonly right: Operand }
  | { readonly kind: "in"; readonly operand: Operand; readonly values: readonly (Literal | null)[] }
  | { readonly kind: "operand"; readonly operand: Operand };

type Operator = "==" | "!=" | "<" | "<=" | ">" | ">=";

/** A condition, or what is wrong with its text and where. */
export type ConditionResult =
  | { readonly condition: Condition }
  | { readonly problem: string; readonly start: number; readonly length: number };

interface Token {
  readonly text: string;
  readonly start: number;
}

const TOKEN = /[ \t\r\n]*([=!<>]=|[<>()[\],]|\?\?|"(?:[^"\\]|\\.)*"|[\w.-]+)/y;
const OPERATORS: ReadonlySet<string> = new Set<Operator>(["==", "!=", "<", "<=", ">", ">="]);
const MAX_DEPTH = 100;

class ConditionProblem extends Error {
  readonly token: Token;

  constructor(message: string, token: Token) {
    super(message);
    this.token = token;
  }
}

/**
 * Parses the text of an `if`: `or`, `and`, `not`, parentheses, comparisons, `in [ … ]`. It has no arithmetic and no
 * calls. Never throws.
 */
export function parseCondition(text: string): ConditionResult {
  try {
    return { condition: new ConditionParser(text).parse() };
  } catch (error) {
    if (!(error instanceof ConditionProblem)) throw error;
    const { text: found, start } = error.token;
    return { problem: error.message, start, length: found.length };
  }
}

class ConditionParser {
  readonly #tokens: readonly Token[];
  #at = 0;
  #depth = 0;

  constructor(text: string) {
    this.#tokens = tokensOf(text);
  }

  parse(): Condition {
    const condition = this.#or();
    if (this.#peek !== "") this.#fail("and, or, or the end of the condition");
    return condition;
  }

  get #token(): Token {
    return this.#tokens[this.#at] ?? { text: "", start: 0 };
  }

  get #peek(): string {
    return this.#token.text;
  }

  #fail(expected: string): never {
    const found = this.#peek === "" ? "its end" : `'${quoteText(this.#peek)}'`;
    throw new ConditionProblem(`The condition has ${found} where it needs ${expected}`, this.#token);
  }

  #take(text: string): boolean {
    if (this.#peek !== text) return false;
    this.#at += 1;
    return true;
  }

  #or(): Condition {
    let left = this.#and();
    while (this.#take("or")) left = { kind: "or", left, right: this.#and() };
    return left;
  }

  #and(): Condition {
    let left = this.#not();
    while (this.#take("and")) left = { kind: "and", left, right: this.#not() };
    return left;
  }

  #not(): Condition {
    this.#depth += 1;
    if (this.#depth > MAX_DEPTH) this.#fail(`at most ${MAX_DEPTH} levels`);
    try {
      if (this.#take("not")) return { kind: "not", condition: this.#not() };
      if (!this.#take("(")) return this.#comparison();
      const condition = this.#or();
      if (!this.#take(")")) this.#fail("a closing parenthesis");
      return condition;
    } finally {
      this.#depth -= 1;
    }
  }

  #comparison(): Condition {
    const left = this.#operand();
    if (this.#take("in")) return { kind: "in", operand: left, values: this.#list() };
    const operator = this.#peek;
    if (!isOperator(operator)) return { kind: "operand", operand: left };
    this.#at += 1;
    return { kind: "compare", operator, left, right: this.#operand() };
  }

  #list(): (Literal | null)[] {
    if (!this.#take("[")) this.#fail("a list such as [200, 204]");
    const values: (Literal | null)[] = [];
    if (this.#take("]")) return values;
    do values.push(this.#literal());
    while (this.#take(","));
    if (!this.#take("]")) this.#fail("a comma or a closing bracket");
    return values;
  }

  #literal(): Literal | null {
    const value = literalOf(this.#peek);
    if (value === undefined) this.#fail("text in double quotes, a number, true, false or null");
    this.#at += 1;
    return value;
  }

  #operand(): Operand {
    const { text, start } = this.#token;
    if (literalOf(text) !== undefined) return { kind: "literal", value: this.#literal() };
    if (!/^[A-Za-z]/.test(text) || KEYWORDS.has(text)) this.#fail("a value, such as inputs.NAME or a literal");
    const parsed = parseReference(text);
    if (!parsed.ok) throw new ConditionProblem(parsed.problem, this.#token);
    this.#at += 1;
    const fallback = this.#take("??") ? { value: this.#literal() } : null;
    return { kind: "reference", reference: parsed.reference, fallback, start };
  }
}

const KEYWORDS: ReadonlySet<string> = new Set(["or", "and", "not", "in"]);

function isOperator(text: string): text is Operator {
  return OPERATORS.has(text);
}

/** The value that a token stands for; undefined if it is not a literal. */
function literalOf(text: string): Literal | null | undefined {
  if (text === "null") return null;
  const literal = readLiteral(text);
  return literal?.rest === "" ? literal.value : undefined;
}

/** @throws ConditionProblem at the first character that begins no token */
function tokensOf(text: string): Token[] {
  const tokens: Token[] = [];
  TOKEN.lastIndex = 0;
  let end = 0;
  for (let match = TOKEN.exec(text); match !== null; match = TOKEN.exec(text)) {
    const [, word = ""] = match;
    end = TOKEN.lastIndex;
    tokens.push({ text: word, start: end - word.length });
  }
  const rest = text.slice(end).trim();
  if (rest === "") return tokens;
  const token = { text: rest.slice(0, 1), start: text.indexOf(rest, end) };
  const why = rest.startsWith('"') ? "begins a text that does not end" : "has no meaning in a condition";
  throw new ConditionProblem(`'${quoteText(token.text)}' ${why}`, token);
}

/** The operands of a condition that are references, in their order. */
export function referencesOf(condition: Condition): (Operand & { kind: "reference" })[] {
  const found: (Operand & { kind: "reference" })[] = [];
  const open = [condition];
  for (let part = open.pop(); part !== undefined; part = open.pop()) {
    switch (part.kind) {
      case "not":
        open.push(part.condition);
        break;
      case "or":
      case "and":
        // The left one is looked at first.
        open.push(part.right, part.left);
        break;
      default: {
        const operands = part.kind === "compare" ? [part.left, part.right] : [part.operand];
        found.push(...operands.filter((operand) => operand.kind === "reference"));
      }
    }
  }
  return found;
}
