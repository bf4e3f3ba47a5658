/** Files that the user asked for. */
import { existsSync, realpathSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { writeWhole } from '@splitlane/dnn';
import { UsageError } from './exit-codes.ts';

/** @throws UsageError where a file of this name cannot be: it is a folder, or there is no folder for it. */
export function checkTarget(option: string, file: string): void {
  if (existsSync(file) && statSync(file).isDirectory())
    throw new UsageError(`${option} ${file}: this is a folder, not a file`);
  const folder = path.dirname(path.resolve(file));
  if (!existsSync(folder) || !statSync(folder).isDirectory())
    throw new UsageError(`${option} ${file}: there is no folder ${folder}`);
}

/** Writes a file in one step; a pipe or a device is written to. @throws UsageError where it cannot be. */
export function writeResult(option: string, file: string, text: string): void {
  try {
    const there = existsSync(file);
    // To put a file in the place of a device or of a link would be to take it away.
    if (there && !statSync(file).isFile()) writeFileSync(file, text);
    else writeWhole(there ? realpathSync(file) : file, Buffer.from(text));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    throw new UsageError(`${option} ${file}: cannot be written (${code})`);
  }
}
