/**
 * Fernet and MultiFernet, for reading only: to bring secrets over from a store that is sealed with it.
 *
 * @module
 */
export { createFernet, type Fernet, type FernetDecryptOptions } from "./fernet.ts";
