/** A profile from another machine, read from a file. */
import { readFileSync } from 'node:fs';
import { parseReference, type ReferenceProfile } from '@splitlane/dnn';
import { UsageError } from '../exit-codes.ts';

/** By these one sees whether it is a profile at all. */
const KEYS = ['model', 'machine', 'segments', 'layers'];
/** Windows tools put it before a text. */
const BYTE_ORDER_MARK = /^\uFEFF/;

/**
 * What `splitlane profile --json` has printed.
 * @throws UsageError, or ModelError, in one line that names the option, the file and what is wrong with it.
 */
export function readReference(option: string, file: string): ReferenceProfile {
  const content = contentOf(option, file);
  const missing = KEYS.find((key) => typeof content !== 'object' || content === null || !(key in content));
  if (missing !== undefined)
    throw new UsageError(
      `${option} ${file}: this is not what splitlane profile --json prints: there is no '${missing}' in it`,
    );
  return parseReference(content, `${option} ${file}`);
}

function contentOf(option: string, file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8').replace(BYTE_ORDER_MARK, ''));
  } catch (error) {
    throw new UsageError(`${option} ${file}: ${reasonOf(error as NodeJS.ErrnoException)}`);
  }
}

function reasonOf({ code, message }: NodeJS.ErrnoException): string {
  if (code === 'ENOENT') return 'there is no such file';
  if (code === 'EISDIR') return 'this is a folder, not a file';
  if (code !== undefined) return `cannot be read (${code})`;
  return `this is not JSON, which splitlane profile --json prints: ${message.replaceAll(/\s+/g, ' ')}`;
}
