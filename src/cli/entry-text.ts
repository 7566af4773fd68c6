/** A key or a value as a person has written it: bytes, or JSON text. */
export type EntryText = { readonly hex: string } | { readonly json: string };

/** `hex:0a000001` is bytes; what is JSON goes as it is; anything else is a text, written without quotes. */
export function parseEntryText(text: string): EntryText {
  const hex = /^hex:((?:[0-9a-fA-F]{2})+)$/.exec(text)?.[1];
  if (hex !== undefined) return { hex };
  try {
    JSON.parse(text);
    return { json: text };
  } catch {
    return { json: JSON.stringify(text) };
  }
}
