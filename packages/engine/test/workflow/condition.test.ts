import { formatReference } from "@autokestra/secrets-core/internal";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Condition, type Operand, parseCondition, referencesOf } from "../../src/workflow/condition.ts";
import { holds } from "../../src/workflow/evaluate-condition.ts";

const values: Readonly<Record<string, unknown>> = {
  "inputs.environment": "production",
  "inputs.count": 3,
  "inputs.on": true,
  "inputs.off": false,
  "inputs.nothing": null,
  "inputs.list": [1],
  "inputs.map": { a: 1 },
  "tasks.a.status": "success",
  "tasks.a.output.status": 200,
  "tasks.a.output.hyphen-ated": "x",
  "item.name": "web",
  item: "web",
  index: 2,
  "run.status": "failed",
};

function parse(text: string): Condition {
  const parsed = parseCondition(text);
  if ("problem" in parsed) throw new Error(parsed.problem);
  return parsed.condition;
}

function decide(text: string): boolean {
  return holds(parse(text), (reference, isOptional) => {
    const name = formatReference(reference);
    if (name in values) return values[name];
    if (isOptional) return null;
    throw new Error(`there is no ${name}`);
  });
}

describe("a condition", () => {
  it.each([
    ['inputs.environment == "production" and tasks.a.output.status == 200', true],
    ['inputs.environment == "production" and tasks.a.output.status == 404', false],
    ['inputs.environment != "staging"', true],
    ["inputs.on", true],
    ["not inputs.off", true],
    ["not not inputs.off", false],
    ["inputs.off or inputs.on", true],
    // `and` binds more tightly than `or`, `not` more tightly than both
    ["inputs.on or inputs.off and inputs.off", true],
    ["(inputs.on or inputs.off) and inputs.off", false],
    ["not inputs.off and inputs.off", false],
    ["not (inputs.off and inputs.off)", true],
    ["inputs.count < 4", true],
    ["inputs.count <= 3", true],
    ["inputs.count > 3", false],
    ["inputs.count >= 3", true],
    ["3 == inputs.count", true],
    ["-1 < inputs.count", true],
    ["inputs.count < 3.5", true],
    ['inputs.environment < "q"', true],
    ['inputs.environment >= "production"', true],
    ['inputs.environment in ["staging", "production"]', true],
    ["tasks.a.output.status in [200, 204]", true],
    ["tasks.a.output.status in [404]", false],
    ["inputs.count in []", false],
    ["inputs.nothing in [null]", true],
    ["inputs.nothing == null", true],
    ["inputs.environment == null", false],
    // no coercion
    ['inputs.count == "3"', false],
    ['inputs.count != "3"', true],
    ['inputs.on == "true"', false],
    ["inputs.on == true", true],
    ["inputs.on == 1", false],
    ["inputs.nothing == false", false],
    ['tasks.gone.output.x ?? "none" == "none"', true],
    ["tasks.gone.output.x ?? null == null", true],
    ["tasks.gone.output.x ?? false", false],
    ["inputs.nothing ?? 5 > 4", true],
    ['tasks.a.status == "success"', true],
    ['tasks.a.output.hyphen-ated == "x"', true],
    ['item.name == "web" and item == "web" and index == 2', true],
    ['run.status == "failed"', true],
    ["inputs.count==3and inputs.on".replace("3and", "3 and"), true],
    [" \n\tinputs.on\r\n ", true],
    ['inputs.environment == "prod\\u0075ction"', true],
    ['"a \\"quoted\\" ) and (" == "x"', false],
    // the right side is not looked at where the left side decides
    ['inputs.off and tasks.gone.output.x == "y"', false],
    ['inputs.on or tasks.gone.output.x == "y"', true],
  ])("%s is %s", (text, expected) => {
    expect(decide(text)).toBe(expected);
  });

  it.each([
    ["inputs.environment", "'inputs.environment' is text, not true or false"],
    ["inputs.nothing", "'inputs.nothing' is null, not true or false"],
    ["inputs.count and inputs.on", "'inputs.count' is a number, not true or false"],
    ['inputs.count < "4"', "'inputs.count' is a number and the literal is text: < compares two texts or two numbers"],
    ["inputs.on < true", "'inputs.on' is true or false and the literal is true or false: < compares"],
    ["inputs.nothing >= 1", "'inputs.nothing' is null and the literal is a number: >= compares"],
    ["inputs.list == 1", "'inputs.list' is a list, which cannot be compared"],
    ["inputs.map in [1]", "'inputs.map' is an object, which cannot be compared"],
    ["tasks.gone.output.x == 1", "there is no tasks.gone.output.x"],
  ])("%s cannot be decided", (text, message) => {
    expect(() => decide(text)).toThrow(message);
  });

  it.each([
    ["", "The condition has its end where it needs a value, such as inputs.NAME or a literal"],
    ["inputs.a ==", "has its end where it needs a value"],
    ["== 1", "has '==' where it needs a value"],
    ["inputs.a = 1", "'=' has no meaning in a condition"],
    ["inputs.a === 1", "'=' has no meaning in a condition"],
    ["inputs.a && inputs.b", "'&' has no meaning in a condition"],
    ["!inputs.a", "'!' has no meaning in a condition"],
    ["inputs.a + 1 == 2", "'+' has no meaning in a condition"],
    ["inputs.a == 'x'", "''' has no meaning in a condition"],
    ['inputs.a == "x', "'\"' begins a text that does not end"],
    ["inputs.a == 1 == 2", "has '==' where it needs and, or, or the end"],
    ["(inputs.a", "has its end where it needs a closing parenthesis"],
    ["inputs.a)", "has ')' where it needs and, or, or the end"],
    ["inputs.a and", "has its end where it needs a value"],
    ["and inputs.a", "has 'and' where it needs a value"],
    ["inputs.a not in [1]", "has 'not' where it needs and, or, or the end"],
    ["inputs.a in 1", "has '1' where it needs a list such as [200, 204]"],
    ["inputs.a in [1", "has its end where it needs a comma or a closing bracket"],
    ["inputs.a in [1,]", "has ']' where it needs text in double quotes, a number, true, false or null"],
    ["inputs.a in [inputs.b]", "has 'inputs.b' where it needs text in double quotes"],
    ["inputs.a ?? inputs.b", "has 'inputs.b' where it needs text in double quotes"],
    ["inputs.a == 1.10", "has '1.10' where it needs a value"],
    ["inputs.a == 01", "has '01' where it needs a value"],
    ["{{ inputs.a }}", "'{' has no meaning in a condition"],
    ["input.a == 1", "Unknown reference 'input.a'"],
    ["tasks.a.result == 1", "Malformed reference 'tasks.a.result'"],
    ["inputs.a.constructor == 1", "Malformed reference 'inputs.a.constructor'"],
    ["len(inputs.a) == 1", "Unknown reference 'len'"],
    [`${"(".repeat(200)}inputs.a${")".repeat(200)}`, "needs at most 100 levels"],
    [`${"not ".repeat(20_000)}inputs.a`, "needs at most 100 levels"],
  ])("%s is malformed", (text, message) => {
    expect(parseCondition(text)).toMatchObject({ problem: expect.stringContaining(message) });
  });

  it("tells where it is malformed", () => {
    expect(parseCondition('inputs.a == "x" or or')).toMatchObject({ start: 19, length: 2 });
    expect(parseCondition("inputs.a  && 1")).toMatchObject({ start: 10, length: 1 });
  });

  it("is as it was written, whatever was written", () => {
    const literal = fc.oneof(
      fc.string().map((text) => JSON.stringify(text)),
      fc.integer().map(String),
      fc.constantFrom("true", "false", "null"),
    );
    const path = fc.constantFrom("inputs.a", "tasks.b.output.c.0", "item", "index", "tasks.x.error.code");
    const operand = fc.oneof(
      path,
      literal,
      fc.tuple(path, literal).map(([left, right]) => `${left} ?? ${right}`),
    );
    const { condition } = fc.letrec<{ condition: string }>((tie) => ({
      condition: fc.oneof(
        { maxDepth: 4 },
        operand,
        fc.tuple(operand, fc.constantFrom("==", "!=", "<", "<=", ">", ">="), operand).map((parts) => parts.join(" ")),
        fc.tuple(operand, fc.array(literal)).map(([left, list]) => `${left} in [${list.join(", ")}]`),
        tie("condition").map((inner) => `(not (${inner}))`),
        fc
          .tuple(tie("condition"), fc.constantFrom("and", "or"), tie("condition"))
          .map(([left, word, right]) => `((${left}) ${word} (${right}))`),
      ),
    }));
    fc.assert(
      fc.property(condition, (text) => {
        expect(parse(write(parse(text)))).toEqual(withoutPlaces(parse(text), parse(write(parse(text)))));
      }),
    );
    fc.assert(fc.property(fc.string(), (text) => void parseCondition(text)));
  });

  it("takes linear time", () => {
    const long = Array.from({ length: 20_000 }, () => 'inputs.a == "x"').join(" or ");
    expect(referencesOf(parse(long))).toHaveLength(20_000);
    for (const word of ["or", "and"]) {
      const chain = parse(`${`inputs.a == "x" ${word} `.repeat(20_000)}inputs.a == "y"`);
      expect(holds(chain, () => "x")).toBe(word === "or");
      expect(holds(chain, () => "y")).toBe(word === "or");
    }
    expect("problem" in parseCondition('"'.repeat(100_000))).toBe(true);
  });
});

function write(condition: Condition): string {
  switch (condition.kind) {
    case "not":
      return `not (${write(condition.condition)})`;
    case "or":
    case "and":
      return `(${write(condition.left)}) ${condition.kind} (${write(condition.right)})`;
    case "in":
      return `${writeOperand(condition.operand)} in [${condition.values.map((value) => JSON.stringify(value)).join(",")}]`;
    case "compare":
      return `${writeOperand(condition.left)} ${condition.operator} ${writeOperand(condition.right)}`;
    default:
      return writeOperand(condition.operand);
  }
}

function writeOperand(operand: Operand): string {
  if (operand.kind === "literal") return JSON.stringify(operand.value);
  const fallback = operand.fallback === null ? "" : ` ?? ${JSON.stringify(operand.fallback.value)}`;
  return formatReference(operand.reference) + fallback;
}

/** The same tree with the places of another one. */
function withoutPlaces(condition: Condition, places: Condition): Condition {
  const starts = referencesOf(places).map(({ start }) => start);
  return JSON.parse(JSON.stringify(condition), (key, value: unknown) => (key === "start" ? starts.shift() : value));
}
