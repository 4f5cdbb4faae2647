// The model that the server speaks with, and whether the server hears.

import { SpeechError } from "./speech-error.js";

/**
 * @param {import("./client.js").SpeechClient} client
 * @returns {Promise<{id: string, hears: boolean}|null>} null where the server does not tell
 */
export async function servedModel(client) {
  try {
    return (await (await client.fetch("v1/models")).json()).data[0];
  } catch (error) {
    if (error instanceof SpeechError) return null;
    throw error;
  }
}
