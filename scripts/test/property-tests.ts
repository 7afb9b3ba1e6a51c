import fc from "fast-check";

// A setup file of all tests. `npm test` tries the same few inputs each time, so that it is fast and fails only for what was changed;
// `npm run faults` tries more of them, and others.
const { LONG_TESTS, PROPERTY_SEED } = process.env;
fc.configureGlobal(
  PROPERTY_SEED === undefined
    ? { seed: 1, numRuns: LONG_TESTS === "true" ? 100 : 25 }
    : { seed: Number(PROPERTY_SEED), numRuns: 1000 },
);
