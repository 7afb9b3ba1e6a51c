/**
 * For engines that run plugins in processes of their own: the messages that these exchange, and how values become JSON and
 * texts to mask on both sides.
 *
 * @module
 */
export { isInstance, jsonText, outputText, UnreadableOutput } from "./json-text.ts";
export {
  type ActionDescription,
  MAX_MESSAGE_BYTES,
  type Order,
  PROTOCOL_VERSION,
  REPORTS_FD,
  type Report,
  reportSchema,
  type ThrownReport,
} from "./protocol.ts";
export { readProperty } from "./read-thrown.ts";
export { bufferFromJson, objectContent, secretTexts, textsToMask } from "./secret-texts.ts";
export { killGroupAfterExit } from "./watchdog.ts";
