import type { MaskCount } from "@autokestra/secrets-core";

type Counts = Readonly<Record<string, MaskCount>>;

/** What two maskers have counted, together. */
export function addCounts(one: Counts, other: Counts): Record<string, MaskCount> {
  const names = [...new Set([...Object.keys(one), ...Object.keys(other)])];
  return Object.fromEntries(
    names.map((name) => {
      const counts = [one, other].flatMap((source) => (Object.hasOwn(source, name) ? (source[name] ?? []) : []));
      const variants = new Set(counts.flatMap((count) => count.variants));
      return [name, { count: counts.reduce((sum, { count }) => sum + count, 0), variants: [...variants] }];
    }),
  );
}
