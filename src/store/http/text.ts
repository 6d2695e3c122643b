/** Roots as bytes. */
import { badAnswer } from "../failures.ts";

/** Longest root that is read or taken. */
export const maxRootBytes = 64 * 1024 * 1024;

/** The text of a root, to the letter. Throws CSP_STORE_ANSWER for what is no UTF-8. */
export function rootText(address: string, body: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(body);
  } catch {
    throw badAnswer(address, "has a root that is no text");
  }
}
