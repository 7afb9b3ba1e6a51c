/**
 * Reads YAML that people write, with the position of every value, and formats problems with the lines they are in.
 *
 * @module
 */
export { changeYaml, type ListChange, type TextChange } from "./change-yaml.ts";
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
  type CreateProblem,
  MAX_BYTES,
  parseYaml,
  QUOTES,
  type RespelledValue,
  type TextPart,
  type YamlDocument,
  type YamlPath,
} from "./yaml-document.ts";
