import { useBuiltInOnly } from "../src/library.ts";

// A setup file of the project `sqlite-builtin`: whatever is installed, its tests run on node:sqlite.
useBuiltInOnly();
