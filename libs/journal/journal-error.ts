/** A log cannot be written, or not be read; the message names the file and says why. For users. */
export class JournalError extends Error {
  override readonly name = 'JournalError';
}
