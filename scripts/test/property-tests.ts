import fc from "fast-check";

// A setup file of all tests. `npm test` tries the same inputs each time, so that it fails only for what was changed;
// `npm run faults` tries others, and more.
const seed = process.env["PROPERTY_SEED"];
fc.configureGlobal(seed === undefined ? { seed: 1 } : { seed: Number(seed), numRuns: 1000 });
