import { type Arbitrary, array, stringMatching, tuple, uint8Array } from "fast-check";
import type { EncryptedSecret } from "../src/index.ts";
import { sampleSecret } from "../src/testing/index.ts";

const bytes = uint8Array({ maxLength: 100 });
const text = stringMatching(/^[ -~äöü–日本🔑]{1,50}$/u);

/** Encrypted secrets of the name A with any bytes and any text, for round trips. */
export const anyEncryptedSecret: Arbitrary<EncryptedSecret> = tuple(bytes, bytes, bytes, array(text), text).map(
  ([nonce, tag, ciphertext, tags, description]) => {
    const { metadata, envelope, mac } = sampleSecret("A", { tags, description });
    return { metadata, envelope: { ...envelope, nonce, tag, ciphertext }, mac };
  },
);
