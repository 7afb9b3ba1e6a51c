import { GramFilter } from "./gram-filter.ts";
import { type Haystack, Scratch, TextHaystack } from "./haystack.ts";
import { type Alphabet, PatternStore, type PatternText } from "./pattern-store.ts";
import { type CanContinue, PrefixIndex } from "./prefix-index.ts";
import type { Owner } from "./tally.ts";
import type { MatchVisitor } from "./verifier.ts";

/** Short texts have a filter of their own because they would slow down that of the others. */
type Filters = readonly [long: GramFilter, short: GramFilter];

/** Finds patterns in texts and in bytes. */
export class Matcher {
  /** Increases whenever all patterns are forgotten. */
  generation = 0;
  store: PatternStore = new PatternStore();
  #inBytes: Filters | null = null;
  #inUnits: Filters | null = null;
  #prefixes: PrefixIndex | null = null;
  readonly #scratch = new Scratch();
  readonly #unitsBefore = new Set<number>();

  /** Adds a text to look for, of at least 4 units, as {@link PatternStore.add}. */
  add(pattern: PatternText, owner: Owner, yields = false): void {
    const { hasShort } = this.store;
    this.store.add(pattern, owner, yields);
    // The first short pattern changes which filter the others belong to.
    if (this.store.hasShort !== hasShort) this.#inBytes = this.#inUnits = null;
    for (const unit of pattern.before) this.#unitsBefore.add(unit.charCodeAt(0));
  }

  /** Returns the owners of the pattern that is exactly this text. */
  ownersOf(text: string): readonly Owner[] {
    const id = this.store.idOf(text);
    return id === null ? [] : (this.store.owners[id] ?? []);
  }

  haystack(text: string): TextHaystack {
    return new TextHaystack(text, this.#scratch);
  }

  /** Can this text contain a pattern? For short texts without escape sequences. */
  mayFind(text: string): boolean {
    const [long, short] = this.#filtersFor("units");
    return long.mayFind(text) || short.mayFind(text);
  }

  /** Visits every pattern that begins at `from` or later and before `to`, in any order. */
  find(text: Haystack, from: number, to: number, visitor: MatchVisitor): void {
    for (const filter of this.#filtersFor(text.alphabet)) filter.find(text, from, to, visitor);
  }

  /** Visits every pattern that the end of the text cuts off so early that {@link find} does not see it. */
  findHeads(text: Haystack, from: number, visitor: MatchVisitor): void {
    const prefixes = this.#prefixIndex();
    for (let start = this.#headsFrom(text, from); start < text.length; start++) {
      for (const id of prefixes.longerThan(text, start)) visitor.cutOff(id, start);
    }
  }

  /**
   * Returns the first place from `from` on that {@link find} does not return and where the end of the text cuts a
   * pattern off, or a whole pattern depends on what comes next; null if there is none.
   */
  firstHead(text: Haystack, from: number, isNextOpen: boolean, canContinue: CanContinue): number | null {
    return this.#prefixIndex().firstHead(text, this.#headsFrom(text, from), isNextOpen, canContinue);
  }

  /** Can a match that begins after this unit include it? */
  mayExtend(unit: number): boolean {
    return this.#unitsBefore.has(unit);
  }

  clear(): void {
    this.store.wipe();
    this.#scratch.wipe();
    this.store = new PatternStore();
    this.#inBytes = null;
    this.#inUnits = null;
    this.#prefixes = null;
    this.#unitsBefore.clear();
    this.generation += 1;
  }

  /** One pair serves both alphabets as long as all patterns are ASCII. */
  #filtersFor(alphabet: Alphabet): Filters {
    const filters = alphabet === "bytes" || this.store.isAscii ? this.#byteFilters() : this.#unitFilters();
    // A loop would add a tenth to the time of a short line.
    filters[0].update();
    filters[1].update();
    return filters;
  }

  #byteFilters(): Filters {
    this.#inBytes ??= createFilters(this.store, "bytes");
    return this.#inBytes;
  }

  #unitFilters(): Filters {
    this.#inUnits ??= createFilters(this.store, "units");
    return this.#inUnits;
  }

  #prefixIndex(): PrefixIndex {
    this.#prefixes ??= new PrefixIndex(this.store);
    this.#prefixes.update();
    return this.#prefixes;
  }

  /** Before this place, {@link find} sees everything that the end of the text cuts off. */
  #headsFrom(text: Haystack, from: number): number {
    const [long, short] = this.#filtersFor("bytes");
    return Math.max(0, from, text.length - Math.max(long.reach, short.reach));
  }
}

function createFilters(store: PatternStore, alphabet: Alphabet): Filters {
  return [new GramFilter(store, alphabet, "long"), new GramFilter(store, alphabet, "short")];
}
