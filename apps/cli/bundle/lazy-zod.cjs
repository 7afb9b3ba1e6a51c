// Stands for zod in the bundle. Building schemas takes longer than most commands; nearly none of them is used in one. Here a schema is
// only remembered, and built with the real zod (`zod-parts.mjs`, a file of its own) when something else than building on it is asked of it.

const { createRequire } = require("node:module");

const requireBeside = createRequire(__filename);

/** What makes a schema, of zod and of `z.iso`. What is missing here is built at once: that is slow, not wrong. */
const FACTORIES = new Set(
  "array base64 boolean custom datetime discriminatedUnion enum instanceof int literal looseObject null number object record strictObject string tuple union unknown url uuid".split(
    " ",
  ),
);

/** What makes a schema of one. */
const BUILDERS = new Set(
  "catch default describe exactOptional extend max meta min nonnegative nullable optional pipe positive readonly refine regex rest transform".split(
    " ",
  ),
);

/** What builds the schema that each stand-in stands for, and the stand-in of each schema that is built. */
const known = new WeakMap();

/** @param {() => object} load */
function factory(load) {
  return new Proxy(
    {},
    {
      get: (_, name) => {
        if (name === "iso") return factory(() => load().iso);
        if (name === "toJSONSchema") return (...args) => zod().toJSONSchemaOf(known, ...args);
        return FACTORIES.has(name) ? (...args) => schema(() => load()[name](...args.map(unwrap))) : load()[name];
      },
    },
  );
}

/** @param {() => object} build */
const schema = (build) => new StandIn(build).proxy;

/** Is built once. There are hundreds, so they share the functions that answer for them. */
class StandIn {
  /** @type {ProxyHandler<StandIn>} */
  static #answers = {
    get: (standIn, name) =>
      BUILDERS.has(name)
        ? (...args) => schema(() => standIn.#real()[name](...args.map(unwrap)))
        : standIn.#real()[name],
    has: (standIn, name) => name in standIn.#real(),
    getPrototypeOf: (standIn) => Object.getPrototypeOf(standIn.#real()),
    ownKeys: () => [],
  };
  #build;
  #built;

  constructor(build) {
    this.#build = build;
    this.proxy = new Proxy(this, StandIn.#answers);
    known.set(this.proxy, () => this.#real());
  }

  #real() {
    if (this.#built === undefined) {
      this.#built = this.#build();
      known.set(this.#built, this.proxy);
    }
    return this.#built;
  }
}

/** @param {unknown} argument */
const unwrap = (argument) => zod().unwrap(argument, known);

const zod = () => requireBeside("./zod.cjs");

exports.z = factory(zod);
