import { Document, isScalar, visit } from 'yaml';
import { escapeJson, isPrintable } from '../../model/escape.ts';

/**
 * A document as indented JSON; hostile characters are `\u` escapes, so that it parses to the very same
 * values.
 */
export function formatJson(document: unknown): string {
  return escapeJson(JSON.stringify(document, undefined, 2));
}

/** A document on one line. */
export function formatJsonLine(document: unknown): string {
  return escapeJson(JSON.stringify(document));
}

/** A document as YAML 1.2; texts a terminal must not see as they are stand in double quotes, escaped. */
export function formatYaml(document: unknown): string {
  const yaml = new Document(document);
  visit(yaml, {
    Scalar: (_, node) => {
      if (isScalar(node) && typeof node.value === 'string' && !isPrintable(node.value)) {
        node.type = 'QUOTE_DOUBLE';
      }
    },
  });
  return escapeJson(yaml.toString({ lineWidth: 0, doubleQuotedMinMultiLineLength: 1_000_000 })).trimEnd();
}
