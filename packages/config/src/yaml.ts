/**
 * Reads files that people write: YAML with the place of every value, and problems with the line that they are in.
 *
 * @module
 */
export { didYouMean, nearestName } from "./nearest-name.ts";
export {
  type FatalProblem,
  FileError,
  formatProblem,
  MAX_PROBLEMS,
  type Position,
  type Problem,
  type Severity,
} from "./problem.ts";
export { type FileShape, shapeProblems } from "./shape-problems.ts";
export {
  type Invalid,
  MAX_BYTES,
  type Mark,
  parseYaml,
  QUOTES,
  type RespelledValue,
  type YamlDocument,
  type YamlPath,
} from "./yaml-document.ts";
