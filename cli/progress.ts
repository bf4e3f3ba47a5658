/** One line on stderr that shows how far a piece of work is. */
import { systemClock } from '@splitlane/clock';

const WIDTH = 24;
const EVERY_MS = 100;

export class ProgressLine {
  readonly #stream: NodeJS.WriteStream;
  #what = '';
  #lastMs = Number.NEGATIVE_INFINITY;
  #shown = false;

  constructor(stream: NodeJS.WriteStream = process.stderr) {
    this.#stream = stream;
  }

  /** Shows `fraction` (0 to 1) of `what`; off a terminal, each piece of work is one line. */
  show(what: string, fraction: number, detail = ''): void {
    const nowMs = systemClock.now();
    if (!this.#stream.isTTY) {
      if (what !== this.#what) this.#stream.write(`${what} … ${detail}`.trimEnd().concat('\n'));
      this.#what = what;
      return;
    }
    if (what === this.#what && fraction < 1 && nowMs - this.#lastMs < EVERY_MS) return;
    this.#what = what;
    this.#lastMs = nowMs;
    this.#shown = true;
    const filled = Math.round(WIDTH * Math.min(1, Math.max(0, fraction)));
    const bar = '█'.repeat(filled) + '░'.repeat(WIDTH - filled);
    this.#stream.write(
      `\r\x1b[K${bar} ${String(Math.round(fraction * 100)).padStart(3)} % ${what} ${detail}`,
    );
  }

  /** Writes a line of its own. */
  line(text: string): void {
    this.clear();
    this.#stream.write(`${text}\n`);
  }

  /** Takes the line away. */
  clear(): void {
    if (this.#shown) this.#stream.write('\r\x1b[K');
    this.#shown = false;
    this.#what = '';
  }
}
